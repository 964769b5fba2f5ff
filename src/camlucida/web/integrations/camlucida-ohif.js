const ce = { inferno: { label: "inferno", kind: "sequential", rgb: "00000300000400000601000701010901010b02010e02021003021204031404031605041806041b07051d08061f0906210a07230b07260d08280e082a0f092d10092f120a32130a34140b36160b39170b3b190b3e1a0b401c0c431d0c451f0c47200c4a220b4c240b4e260b50270b52290b542b0a562d0a582e0a5a300a5c32095d34095f3509603709613909623b09643c09653e0966400966410967430a68450a69460a69480b6a4a0b6a4b0c6b4d0c6b4f0d6c500d6c520e6c530e6d550f6d570f6d58106d5a116d5b116e5d126e5f126e60136e62146e63146e65156e66156e68166e6a176e6b176e6d186e6e186e70196e72196d731a6d751b6d761b6d781c6d7a1c6d7b1d6c7d1d6c7e1e6c801f6b811f6b83206b85206a86216a88216a8922698b22698d23698e24689024689125679325679526669626669827659928649b28649c29639e2963a02a62a12b61a32b61a42c60a62c5fa72d5fa92e5eab2e5dac2f5cae305baf315bb1315ab23259b43358b53357b73456b83556ba3655bb3754bd3753be3852bf3951c13a50c23b4fc43c4ec53d4dc73e4cc83e4bc93f4acb4049cc4148cd4247cf4446d04544d14643d24742d44841d54940d64a3fd74b3ed94d3dda4e3bdb4f3adc5039dd5238de5337df5436e05634e25733e35832e45a31e55b30e65c2ee65e2de75f2ce8612be9622aea6428eb6527ec6726ed6825ed6a23ee6c22ef6d21f06f1ff0701ef1721df2741cf2751af37719f37918f47a16f57c15f57e14f68012f68111f78310f7850ef8870df8880cf88a0bf98c09f98e08f99008fa9107fa9306fa9506fa9706fb9906fb9b06fb9d06fb9e07fba007fba208fba40afba60bfba80dfbaa0efbac10fbae12fbb014fbb116fbb318fbb51afbb71cfbb91efabb21fabd23fabf25fac128f9c32af9c52cf9c72ff8c931f8cb34f8cd37f7cf3af7d13cf6d33ff6d542f5d745f5d948f4db4bf4dc4ff3de52f3e056f3e259f2e45df2e660f1e864f1e968f1eb6cf1ed70f1ee74f1f079f1f27df2f381f2f485f3f689f4f78df5f891f6fa95f7fb99f9fc9dfafda0fcfea4" }, magma: { label: "magma", kind: "sequential", rgb: "00000300000400000601000701010901010b02020d02020f03031104031304041505041706051907051b08061d09071f0a07220b08240c09260d0a280e0a2a0f0b2c100c2f110c31120d33140d35150e38160e3a170f3c180f3f1a10411b10441c10461e10491f114b20114d2211502311522511552611572811592a115c2b115e2d10602f1062301065321067341068350f6a370f6c390f6e3b0f6f3c0f713e0f72400f73420f74430f75450f76470f774810784a10794b10794d117a4f117b50127b52127c53137c55137d57147d58157e5a157e5b167e5d177e5e177f60187f61187f63197f651a80661a80681b80691c806b1c806c1d806e1e816f1e81711f81731f817420817621817721817922817a22817c23817e24817f24818125818225818426818526818727818928818a28818c29808d29808f2a80912a80922b80942b80952c80972c7f992d7f9a2d7f9c2e7f9e2e7e9f2f7ea12f7ea3307ea4307da6317da7317da9327cab337cac337bae347bb0347bb1357ab3357ab53679b63679b83778b93778bb3877bd3977be3976c03a75c23a75c33b74c53c74c63c73c83d72ca3e72cb3e71cd3f70ce4070d0416fd1426ed3426dd4436dd6446cd7456bd9466ada4769dc4869dd4968de4a67e04b66e14c66e24d65e44e64e55063e65162e75262e85461ea5560eb5660ec585fed595fee5b5eee5d5def5e5df0605df1615cf2635cf3655cf3675bf4685bf56a5bf56c5bf66e5bf6705bf7715bf7735cf8755cf8775cf9795cf97b5df97d5dfa7f5efa805efa825ffb8460fb8660fb8861fb8a62fc8c63fc8e63fc9064fc9265fc9366fd9567fd9768fd9969fd9b6afd9d6bfd9f6cfda16efda26ffda470fea671fea873feaa74feac75feae76feaf78feb179feb37bfeb57cfeb77dfeb97ffebb80febc82febe83fec085fec286fec488fec689fec78bfec98dfecb8efdcd90fdcf92fdd193fdd295fdd497fdd698fdd89afdda9cfddc9dfddd9ffddfa1fde1a3fce3a5fce5a6fce6a8fce8aafceaacfcecaefceeb0fcf0b1fcf1b3fcf3b5fcf5b7fbf7b9fbf9bbfbfabdfbfcbf" }, viridis: { label: "viridis", kind: "sequential", rgb: "44015444025544035745055845065a45085b46095c460b5e460c5f460e61470f6247116347126547146647156747166947186a48196b481a6c481c6e481d6f481e70482071482172482273482374472575472676472777472878472a79472b7a472c7b462d7c462f7c46307d46317e45327f45347f453580453681443781443982433a83433b83433c84423d84423e854240854141864142864043874044873f45873f47883e48883e49893d4a893d4b893d4c893c4d8a3c4e8a3b508a3b518a3a528b3a538b39548b39558b38568b38578c37588c37598c365a8c365b8c355c8c355d8c345e8d345f8d33608d33618d32628d32638d31648d31658d31668d30678d30688d2f698d2f6a8d2e6b8e2e6c8e2e6d8e2d6e8e2d6f8e2c708e2c718e2c728e2b738e2b748e2a758e2a768e2a778e29788e29798e287a8e287a8e287b8e277c8e277d8e277e8e267f8e26808e26818e25828e25838d24848d24858d24868d23878d23888d23898d22898d228a8d228b8d218c8d218d8c218e8c208f8c20908c20918c1f928c1f938b1f948b1f958b1f968b1e978a1e988a1e998a1e998a1e9a891e9b891e9c891e9d881e9e881e9f881ea0871fa1871fa2861fa38620a48520a58521a68521a78422a78423a88323a98224aa8225ab8126ac8127ad8028ae7f29af7f2ab07e2bb17d2cb17d2eb27c2fb37b30b47a32b57a33b67935b77836b87738b97639b9763bba753dbb743ebc7340bd7242be7144be7045bf6f47c06e49c16d4bc26c4dc26b4fc36951c46853c56755c66657c66559c7645bc8625ec96160c96062ca5f64cb5d67cc5c69cc5b6bcd596dce5870ce5672cf5574d05477d05279d1517cd24f7ed24e81d34c83d34b86d44988d5478bd5468dd64490d64392d74195d73f97d83e9ad83c9dd93a9fd938a2da37a5da35a7db33aadb32addc30afdc2eb2dd2cb5dd2bb7dd29bade27bdde26bfdf24c2df22c5df21c7e01fcae01ecde01dcfe11cd2e11bd4e11ad7e219dae218dce218dfe318e1e318e4e318e7e419e9e419ece41aeee51bf1e51cf3e51ef6e61ff8e621fae622fde724" }, cividis: { label: "cividis", kind: "sequential", rgb: "00224d00234f00235000245200255400265500265700275900285b00285c00295e002a60002a62002b64002c66002c67002d69002e6b002f6d002f6f0030700030700031700031700432700833700b33700e347011356f14366f16366f18376f1a386f1c386e1d396e1f3a6e213b6e223b6e243c6e253d6d273d6d283e6d2a3f6d2b3f6d2c406d2e416c2f426c30426c31436c32446c34446c35456c36466c37466c38476c39486c3a486b3b496b3d4a6b3e4b6b3f4b6b404c6b414d6b424d6b434e6b444f6b454f6b46506b47516b48516b49526b4a536b4b546c4c546c4d556c4e566c4e566c4f576c50586c51586c52596c535a6c545a6c555b6d565c6d575d6d585d6d595e6d595f6d5a5f6d5b606e5c616e5d616e5e626e5f636e60646e61646f61656f62666f63666f64676f656870666970676970686a70686b71696b716a6c716b6d716c6d726d6e726e6f726e70736f70737071737172737273747373747474757475757575757676767777767878767978777979777a7a777b7b777c7b787d7c787e7d787f7d78807e78817f788280788380788481788582788583788683788784788885788986788a86788b87788c88788d89788e89788f8a77908b77918c77928c77938d77948e77958f77968f779790769891769992769a93769b93769c94769d95759e96759f9675a09775a19874a29974a39a74a49a74a59b73a69c73a79d73a89e73a99e72aa9f72aba072aca171ada271aea271afa370b0a470b1a570b2a66fb3a66fb4a76fb5a86eb6a96eb7aa6db8ab6db9ab6dbaac6cbbad6cbcae6bbdaf6bbeb06abfb06ac1b169c2b269c3b368c4b468c5b567c6b567c7b666c8b765c9b865cab964cbba64ccbb63cdbc62cebc62cfbd61d0be60d2bf60d3c05fd4c15ed5c25ed6c35dd7c35cd8c45bd9c55adac65adbc759dcc858dec957dfca56e0cb55e1cc54e2cc53e3cd52e4ce51e5cf50e6d04fe8d14ee9d24dead34cebd44becd54aedd648eed747efd846f1d944f2da43f3da42f4db40f5dc3ff6dd3df8de3bf9df3afae038fbe136fde234fde333fde534fde636fde737" }, coolwarm: { label: "coolwarm (for and against)", kind: "diverging", rgb: "3a4cc03b4dc13c4fc33e51c43f53c64054c74156c94258ca435acc455bcd465dcf475fd04860d14962d34b64d44c66d64d67d74e69d8506bda516cdb526edc5370dd5571de5673e05775e15876e25a78e35b79e45c7be55d7de65f7ee76080e86182ea6383ea6485eb6586ec6788ed6889ee698bef6b8df06c8ef16d90f16f91f27093f37194f47395f47497f57598f6779af6789bf77a9df87b9ef87ca0f97ea1f97fa2fa80a4fa82a5fb83a6fb85a8fb86a9fc87aafc89acfc8aadfd8baefd8daffd8eb1fd90b2fe91b3fe92b4fe94b5fe95b7fe97b8fe98b9fe99bafe9bbbfe9cbcfe9dbdfe9fbefea0bffea2c0fea3c1fea4c2fea6c3fda7c4fda8c5fdaac6fdabc7fcacc8fcaec9fcafcafbb0cbfbb2cbfbb3ccfab4cdfab6cef9b7cff9b8cff8b9d0f8bbd1f7bcd1f6bdd2f6bed3f5c0d3f5c1d4f4c2d4f3c3d5f2c5d5f2c6d6f1c7d6f0c8d7efc9d7eecad8eeccd8edcdd9ecced9ebcfd9ead0dae9d1dae8d2dae7d3dbe6d5dbe5d6dbe4d7dbe2d8dbe1d9dce0dadcdfdbdcdedcdcdddddcdbdedbdadfdbd9e0dad7e1dad6e2d9d4e3d9d3e4d8d1e5d8d0e6d7cfe7d6cde7d6cce8d5cae9d4c9ead3c7ebd3c6ecd2c4ecd1c3edd0c1edcfc0eecfbeefcebcefcdbbf0ccb9f1cbb8f1cab6f2c9b5f2c8b3f2c7b2f3c6b0f3c5aff4c4adf4c3abf4c2aaf5c1a8f5c0a7f5bfa5f6bda4f6bca2f6bba0f6ba9ff6b99df6b79cf6b69af7b598f7b397f7b295f7b194f7b092f7ae91f7ad8ff6ab8df6aa8cf6a98af6a789f6a687f6a486f6a384f5a182f5a081f59e7ff49d7ef49b7cf49a7bf39879f39678f39576f29375f29173f19072f18e70f08d6ff08b6def896cee876aee8669ed8467ec8266ec8064eb7f63ea7d61ea7b60e9795ee8775de7755ce6745ae67259e57057e46e56e36c54e26a53e16852e06650df644fde624edd604cdc5e4bdb5c4ada5a48d95847d85646d75444d65243d44f42d34d40d24b3fd1493ecf463dce443ccd423acc3f39ca3d38c93b37c83835c63534c53233c43032c22d31c12a30bf282ebe232dbc1f2cbb1a2bb9162ab81129b60d28b50827b30326" }, jet: { label: "jet (misleading)", kind: "sequential", rgb: "00007f00008400008800008d00009100009600009a00009f0000a30000a80000ac0000b10000b60000ba0000bf0000c30000c80000cc0000d10000d50000da0000de0000e30000e80000ec0000f10000f50000fa0000fe0000ff0000ff0000ff0000ff0004ff0008ff000cff0010ff0014ff0018ff001cff0020ff0024ff0028ff002cff0030ff0034ff0038ff003cff0040ff0044ff0048ff004cff0050ff0054ff0058ff005cff0060ff0064ff0068ff006cff0070ff0074ff0078ff007cff0080ff0084ff0088ff008cff0090ff0094ff0098ff009cff00a0ff00a4ff00a8ff00acff00b0ff00b4ff00b8ff00bcff00c0ff00c4ff00c8ff00ccff00d0ff00d4ff00d8ff00dcfe00e0fa00e4f702e8f405ecf108f0ed0cf4ea0ff8e712fce415ffe118ffdd1cffda1fffd722ffd425ffd029ffcd2cffca2fffc732ffc336ffc039ffbd3cffba3fffb742ffb346ffb049ffad4cffaa4fffa653ffa356ffa059ff9d5cff9a5fff9663ff9366ff9069ff8d6cff8970ff8673ff8376ff8079ff7d7cff7980ff7683ff7386ff7089ff6c8dff6990ff6693ff6396ff5f9aff5c9dff59a0ff56a3ff53a6ff4faaff4cadff49b0ff46b3ff42b7ff3fbaff3cbdff39c0ff36c3ff32c7ff2fcaff2ccdff29d0ff25d4ff22d7ff1fdaff1cddff18e0ff15e4ff12e7ff0feaff0cedff08f1fc05f4f802f7f400faf000feed00ffe900ffe500ffe200ffde00ffda00ffd700ffd300ffcf00ffcb00ffc800ffc400ffc000ffbd00ffb900ffb500ffb100ffae00ffaa00ffa600ffa300ff9f00ff9b00ff9800ff9400ff9000ff8c00ff8900ff8500ff8100ff7e00ff7a00ff7600ff7300ff6f00ff6b00ff6700ff6400ff6000ff5c00ff5900ff5500ff5100ff4d00ff4a00ff4600ff4200ff3f00ff3b00ff3700ff3400ff3000ff2c00ff2800ff2500ff2100ff1d00ff1a00ff1600fe1200fa0f00f50b00f10700ec0300e80000e30000de0000da0000d50000d10000cc0000c80000c30000bf0000ba0000b60000b10000ac0000a80000a300009f00009a00009600009100008d00008800008400007f0000" } }, J = {
  maps: ce
}, fe = "inferno", H = (t) => J.maps[t].kind === "diverging", W = /* @__PURE__ */ new Map();
function Q(t) {
  const e = J.maps[t].rgb, n = (i) => Number.parseInt(e.slice(2 * i, 2 * i + 2), 16), a = W.get(t) ?? Uint8Array.from({ length: e.length / 2 }, (i, o) => n(o));
  return W.set(t, a), a;
}
function re(t, e, n) {
  return Math.min(1, Math.max(H(n) ? -1 : 0, t / e));
}
function de(t, e) {
  return Math.floor(255 * (H(e) ? (t + 1) / 2 : t) + 0.5);
}
function le(t, e, n, a, i) {
  const o = re(e, n, i), s = a * Math.abs(o), c = 3 * de(o, i), d = Q(i).subarray(c, c + 3), l = t.map((p, w) => Math.floor(p * (1 - s) + (d[w] ?? 0) * s + 0.5));
  return { alpha: s, rgb: l };
}
class F extends Error {
}
class z extends Error {
}
class ue extends Error {
}
const j = "camlucida-token";
function be(t, e) {
  const n = new URL(t), a = e?.station ?? n.searchParams.get("station") ?? n.origin;
  return new URL(a, n).href.replace(/\/+$/, "");
}
class he {
  constructor(e, n, a = location.origin) {
    this.url = e, this.origin = a, this.#e = n?.token ?? (this.foreign ? sessionStorage.getItem(j) : null);
  }
  #e;
  /** Whether the station has another origin than the page: no cookie opens it then. */
  get foreign() {
    return new URL(this.url).origin !== this.origin;
  }
  /** Takes a token for as long as the tab is open. */
  useToken(e) {
    this.#e = e.trim(), sessionStorage.setItem(j, this.#e);
  }
  find(e, n, a) {
    return this.#t("find", {
      study_instance_uid: e,
      series_instance_uid: n,
      sop_instance_uids: [...new Set(a)]
    });
  }
  explanation(e) {
    return this.#t(`explanations/${encodeURIComponent(e)}`);
  }
  async values(e) {
    const n = await this.#n(`explanations/${encodeURIComponent(e)}/values`);
    return new Float32Array(await n.arrayBuffer().catch(R));
  }
  flag(e, n) {
    return this.#t(`explanations/${encodeURIComponent(e)}/flags`, n);
  }
  async #t(e, n) {
    return await (await this.#n(e, n)).json().catch(R);
  }
  async #n(e, n) {
    const a = {};
    this.#e && (a.Authorization = `Bearer ${this.#e}`), n !== void 0 && (a["Content-Type"] = "application/json");
    const i = await fetch(`${this.url}/api/${e}`, {
      method: n === void 0 ? "GET" : "POST",
      headers: a,
      credentials: this.foreign ? "omit" : "same-origin",
      ...n === void 0 ? {} : { body: JSON.stringify(n) }
    }).catch(R);
    if (i.status === 401) throw new F();
    if (!i.ok) throw new ue(await pe(i));
    return i;
  }
}
function R() {
  throw new z();
}
async function pe(t) {
  const e = await t.json().catch(() => null), n = typeof e == "object" && e !== null && "detail" in e ? e.detail : null;
  return typeof n == "string" ? n : `${t.status} ${t.statusText}`;
}
const me = 5e3, D = fe;
class ge extends EventTarget {
  constructor(e) {
    super(), this.station = e;
  }
  view = { map: !1, finding: null, opacity: 0.6, cells: !1, by: null };
  #e = /* @__PURE__ */ new Map();
  #t = /* @__PURE__ */ new Map();
  #n = /* @__PURE__ */ new WeakMap();
  #a;
  /** Looks at the evidence differently. */
  change(e) {
    this.view = { ...this.view, ...e }, this.#s();
  }
  toggle() {
    this.change({ map: !this.view.map });
  }
  /** Asks again for everything that is not there. */
  retry() {
    this.#e.clear();
    for (const [e, { shown: n }] of this.#t) n || this.#t.delete(e);
    this.#s();
  }
  /** What is known of an instance; what is not is asked for, and told when it comes. */
  of(e, n) {
    const a = this.#i(e, n);
    if (a.error) return { state: "failed", error: a.error };
    if (!a.found) return { state: "loading" };
    const i = ve(a.found, e);
    if (!i) return ye(a.found, e);
    const o = this.chosen(i);
    if (!o) return { state: "no explanation" };
    if (o.state !== "explained") return { state: o.state, reason: o.reason };
    const { shown: s, error: c } = this.#f(o);
    return c ? { state: "failed", error: c } : s ? { state: "explained", image: i, slice: we(i, e), shown: s } : { state: "loading" };
  }
  /** The explanation to show of an image: the chosen model and method, else the first that is there. */
  chosen(e) {
    const n = e.explanations;
    return n.find((i) => A(i) === this.view.by) ?? n.find((i) => i.state === "explained") ?? n[0];
  }
  /** The chosen finding's values on the native grid and their scale; null where there is no such map. */
  map({ record: e, values: n }) {
    const { findings: a, geometry: i } = e.saliency_map, o = a.indexOf(this.view.finding ?? "");
    if (o < 0) return null;
    const s = i.native_shape.reduce((l, p) => l * p, 1), c = this.#n.get(n) ?? /* @__PURE__ */ new Map();
    this.#n.set(n, c);
    const d = c.get(o) ?? n.subarray(o * s, (o + 1) * s);
    return c.set(o, d), { values: d, scale: e.scales[o] ?? 1, index: o };
  }
  #i(e, n) {
    const a = this.#e.get(e.series);
    if (a?.instances.has(e.instance)) return a;
    const i = /* @__PURE__ */ new Set([...n(), e.instance]), o = {
      study: e.study,
      series: e.series,
      instances: i,
      found: null,
      error: null
    };
    return this.#e.set(e.series, o), this.#o(o), o;
  }
  async #o(e) {
    try {
      e.found = await this.station.find(e.study, e.series, [...e.instances]), e.error = null;
    } catch (n) {
      e.error = n;
    }
    B(e) && this.#c(), this.#s();
  }
  /** Asks again, in a while, for all that has not come: also after a station was away. */
  #c() {
    this.#a === void 0 && (this.#a = setTimeout(() => {
      this.#a = void 0;
      for (const e of this.#e.values()) B(e) && this.#o(e);
    }, me));
  }
  #f(e) {
    const n = this.#t.get(e.key);
    if (n) return n;
    const a = { shown: null, error: null };
    return this.#t.set(e.key, a), this.#r(e, a), a;
  }
  async #r(e, n) {
    try {
      const [a, i] = await Promise.all([
        this.station.explanation(e.key),
        this.station.values(e.key)
      ]), { findings: o, geometry: s } = a.saliency_map, c = s.native_shape.reduce((d, l) => d * l, o.length);
      if (i.length !== c)
        throw new Error(`The station sent ${i.length} evidence values where the map has ${c}.`);
      n.shown = { row: e, record: a, values: i };
    } catch (a) {
      n.error = a;
    }
    this.#s();
  }
  #s() {
    this.dispatchEvent(new Event("change"));
  }
}
const A = (t) => `${t.model}@${t.model_version} ${t.method}`;
function ve(t, { instance: e, frame: n }) {
  const a = t.images.filter((i) => i.instances.some((o) => o.sop_instance_uid === e));
  return a.find((i) => i.frame_number === n) ?? a.find((i) => i.frame_number === null);
}
const we = (t, { instance: e }) => t.instances.find((n) => n.sop_instance_uid === e)?.slice ?? null;
function ye(t, { instance: e }) {
  const n = t.others.find((a) => a.sop_instance_uid === e);
  return n ? { state: n.state, reason: n.reason } : { state: "unknown" };
}
function B({ found: t, error: e }) {
  return e ? e instanceof z : [...t?.images.flatMap(({ explanations: a }) => a) ?? [], ...t?.others ?? []].some(({ state: a }) => a === "waiting");
}
const V = "@ohif/extension-cornerstone.utilityModule.common", Z = "CORNERSTONE_IMAGE_RENDERED";
class xe {
  constructor(e) {
    this.parts = e;
  }
  #e = null;
  get services() {
    return this.parts.servicesManager.services;
  }
  viewport(e) {
    return e === null ? null : this.services.cornerstoneViewportService.getCornerstoneViewport(e);
  }
  get active() {
    return this.viewport(this.services.viewportGridService.getActiveViewportId());
  }
  /** Whether what was opened in a viewport is a structured report, shown on the image that it speaks of. */
  showsReport(e) {
    const { viewportGridService: n, displaySetService: a } = this.services;
    return (n.getDisplaySetsUIDsForViewport?.(e) ?? []).some((o) => a.getDisplaySetByUID(o)?.Modality === "SR");
  }
  /** What a viewport shows now; of a reformatted volume its first instance. */
  shown(e) {
    const n = e.getCurrentImageId?.() ?? e.getImageIds?.()[0];
    if (!n) return null;
    const a = this.#t.get("instance", n), { StudyInstanceUID: i, SeriesInstanceUID: o, SOPInstanceUID: s } = a ?? {};
    if (!M(i) || !M(o) || !M(s)) return null;
    const c = Number(/(?:\/frames\/|[?&]frame=)(\d+)/.exec(n)?.[1] ?? 1);
    return { study: i, series: o, instance: s, frame: c };
  }
  /** The SOP Instance UIDs of all that a viewport can show, in its order. */
  instances(e) {
    const n = this.#t, a = (i) => n.get("instance", i)?.SOPInstanceUID;
    return (e.getImageIds?.() ?? []).map(a).filter(M);
  }
  get #t() {
    if (!this.#e) {
      const n = this.parts.extensionManager.getModuleEntry(V)?.exports?.getCornerstoneLibraries;
      if (!n) throw new Error(`This OHIF has no ${V}; camlucida is made for OHIF 3.13.`);
      this.#e = n().cornerstone;
    }
    return this.#e.metaData;
  }
}
const M = (t) => typeof t == "string" && t !== "", Te = (t) => ({
  $$typeof: Symbol.for("react.element"),
  type: t,
  key: null,
  ref: null,
  props: {},
  _owner: null
});
function f(t, e = {}, ...n) {
  const a = document.createElement(t);
  e.class && (a.className = e.class);
  for (const [i, o] of Object.entries(e.attributes ?? {}))
    o !== null && a.setAttribute(i, String(o));
  for (const [i, o] of Object.entries(e.on ?? {})) a.addEventListener(i, o);
  return x(a, ...n), a;
}
function x(t, ...e) {
  t.replaceChildren(
    ...e.filter((n) => n != null && n !== !1)
  );
}
function ee(t, e) {
  t.textContent !== e && (t.textContent = e);
}
const C = "−";
function m(t, e = 3) {
  if (!Number.isFinite(t)) return "–";
  if (t !== 0 && Math.abs(t) < 1e-4) return t.toExponential(0).replaceAll("-", C);
  const n = Math.max(0, e - 1 - Math.floor(Math.log10(Math.abs(t) || 1))), a = t.toFixed(Math.min(n, 6));
  return (Number(a) === 0 ? "0" : Ee(a)).replace("-", C);
}
const Ee = (t) => t.includes(".") ? t.replace(/\.?0+$/, "") : t;
function T(t) {
  const e = Math.abs(t).toFixed(2);
  return Number(e) === 0 ? t === 0 ? "0" : t > 0 ? "< +0.01" : `> ${C}0.01` : (t > 0 ? "+" : C) + e;
}
function ke(t) {
  return t < 5e-3 ? "< 1 %" : t > 0.995 ? "> 99 %" : g(t);
}
const g = (t) => `${Math.round(t * 100)} %`;
function $e(t) {
  return t.replace("T", " ").replace(/^(.{16}).*$/, "$1 UTC");
}
const X = (t) => t.slice(0, 12);
function te(t, e) {
  const n = e.length;
  return t.slice(0, n).map((a) => {
    let i = a[n] ?? 0;
    for (let o = 0; o < n; o++) i += (a[o] ?? 0) * (e[o] ?? 0);
    return i;
  });
}
function ne(t) {
  const e = t.length, n = t.map((a, i) => [...a, ...a.map((o, s) => i === s ? 1 : 0)]);
  for (let a = 0; a < e; a++) {
    const i = _e(n, a), o = n[i], s = o[a];
    if (s === 0) throw new Error("The geometry of this map cannot be inverted.");
    n[i] = n[a], n[a] = o.map((c) => c / s), Se(n, a);
  }
  return n.map((a) => a.slice(e));
}
function _e(t, e) {
  let n = e;
  for (let a = e + 1; a < t.length; a++)
    Math.abs(t[a]?.[e] ?? 0) > Math.abs(t[n]?.[e] ?? 0) && (n = a);
  return n;
}
function Se(t, e) {
  const n = t[e];
  for (let a = 0; a < t.length; a++) {
    const i = t[a], o = i[e];
    a !== e && o !== 0 && (t[a] = i.map((s, c) => s - o * n[c]));
  }
}
const Me = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(corner * 4.0 - 1.0, 0.0, 1.0);
}`;
class ae extends Error {
}
function Ae(t, e) {
  const n = t.getContext("webgl2", { alpha: e, antialias: !1, depth: !1, premultipliedAlpha: !0 });
  if (!n) throw new ae();
  return n.pixelStorei(n.UNPACK_ALIGNMENT, 1), n;
}
class Ce {
  constructor(e, n) {
    this.gl = e, this.#e = e.createProgram();
    for (const [a, i] of [
      [e.VERTEX_SHADER, Me],
      [e.FRAGMENT_SHADER, n]
    ])
      e.attachShader(this.#e, Ie(e, a, i));
    if (e.linkProgram(this.#e), !e.getProgramParameter(this.#e, e.LINK_STATUS) && !e.isContextLost())
      throw new Error(e.getProgramInfoLog(this.#e) ?? "The shader does not link.");
  }
  #e;
  #t = /* @__PURE__ */ new Map();
  /** Draws over the whole canvas, or the whole framebuffer of the same size. */
  draw(e, n) {
    const { gl: a } = this;
    a.useProgram(this.#e);
    for (const [i, o] of Object.entries(e)) this.#n(i, o);
    for (const [i, o] of Object.entries(n)) a.uniform1i(this.#a(i), o);
    a.viewport(0, 0, a.drawingBufferWidth, a.drawingBufferHeight), a.drawArrays(a.TRIANGLES, 0, 3);
  }
  #n(e, n) {
    const { gl: a } = this, i = this.#a(e);
    typeof n == "number" ? a.uniform1f(i, n) : n.length === 2 ? a.uniform2fv(i, n) : n.length === 3 ? a.uniform3fv(i, n) : a.uniformMatrix4fv(i, !1, n);
  }
  #a(e) {
    return this.#t.has(e) || this.#t.set(e, this.gl.getUniformLocation(this.#e, e)), this.#t.get(e) ?? null;
  }
}
function Ie(t, e, n) {
  const a = t.createShader(e);
  if (!a) throw new ae();
  if (t.shaderSource(a, n), t.compileShader(a), !t.getShaderParameter(a, t.COMPILE_STATUS) && !t.isContextLost())
    throw new Error(t.getShaderInfoLog(a) ?? "The shader does not compile.");
  return a;
}
function K(t, e, n) {
  const a = t.createTexture();
  t.activeTexture(t.TEXTURE0 + e), t.bindTexture(n, a);
  for (const i of [t.TEXTURE_MIN_FILTER, t.TEXTURE_MAG_FILTER])
    t.texParameteri(n, i, t.NEAREST);
  for (const i of [t.TEXTURE_WRAP_S, t.TEXTURE_WRAP_T, t.TEXTURE_WRAP_R])
    t.texParameteri(n, i, t.CLAMP_TO_EDGE);
  return a;
}
function Re(t, e, n) {
  const a = new Uint8Array(e * n * 4);
  t.readPixels(0, 0, e, n, t.RGBA, t.UNSIGNED_BYTE, a);
  const i = new Uint8Array(a.length), o = e * 4;
  for (let s = 0; s < n; s++)
    i.set(a.subarray((n - 1 - s) * o, (n - s) * o), s * o);
  return i;
}
const Oe = [
  [1, 0, 0, 1],
  [0, -1, 1, 0],
  [-1, 0, 0, -1],
  [0, 1, -1, 0]
];
function Ne(t) {
  const { originX: e, originY: n, scaleX: a, scaleY: i, orientation: o } = t, [s, c, d, l] = Oe[o.turns], p = o.mirrored ? -1 : 1, w = [p * s / a, p * d / a], S = [c / i, l / i], $ = ([I = 0, se = 0]) => -(I * e + se * n) - 0.5;
  return [
    [...S, $(S)],
    [...w, $(w)]
  ];
}
const Pe = [
  [1, 2],
  [0, 2],
  [0, 1]
];
function De(t, { axis: e, at: n }) {
  const [a, i] = Pe[e] ?? [1, 2], [o, s] = Ne(t), c = [0, 1, 2].map(() => [0, 0, n]);
  return c[a] = o, c[i] = s, c;
}
const Le = `#version 300 es
precision highp float;
precision highp sampler2D;
precision highp sampler3D;
uniform sampler3D values;
uniform sampler2D colours;
uniform float canvasHeight, full, cells, signedColours;
uniform vec3 reach; // half the thickness of a slab, in cells along one axis; 0: the plane alone
uniform mat4 canvasToNative; // (x, y, 0, 1) from the left upper corner to (slice, row, column)
out vec4 heat;
const float EDGE = 1e-4; // the field's edge, in float32
float value(ivec3 cell, ivec3 last) { // (slice, row, column)
  cell = clamp(cell, ivec3(0), last);
  return texelFetch(values, cell.zyx, 0).r;
}
float row(ivec3 at, float part, ivec3 last) {
  return mix(value(at, last), value(at + ivec3(0, 0, 1), last), part);
}
float plane(ivec3 at, vec2 part, ivec3 last) {
  return mix(row(at, part.y, last), row(at + ivec3(0, 1, 0), part.y, last), part.x);
}
float smoothly(vec3 native, ivec3 last) {
  native = clamp(native, vec3(0.0), vec3(last));
  ivec3 at = ivec3(floor(native));
  vec3 part = native - vec3(at);
  return mix(plane(at, part.yz, last), plane(at + ivec3(1, 0, 0), part.yz, last), part.x);
}
float sampled(vec3 native, ivec3 last) {
  return cells > 0.5 ? value(ivec3(floor(native + 0.5)), last) : smoothly(native, last);
}
float stronger(float a, float b) {
  if (signedColours < 0.5) return max(a, b);
  return abs(a) > abs(b) ? a : b;
}
// Linear between the planes of cells, so the strongest lies on one of them or on a face of the slab.
float strongest(vec3 from, vec3 to, vec3 axis, ivec3 last) {
  float found = stronger(sampled(from, last), sampled(to, last));
  float end = dot(floor(to), axis);
  for (float plane = dot(ceil(from), axis); plane <= end; plane++)
    found = stronger(found, sampled(mix(from, vec3(plane), axis), last));
  return found;
}
void main() {
  heat = vec4(0.0);
  vec3 native = (canvasToNative * vec4(gl_FragCoord.x, canvasHeight - gl_FragCoord.y, 0.0, 1.0)).xyz;
  ivec3 last = textureSize(values, 0).zyx - 1;
  vec3 thick = abs(reach);
  vec3 from = native - thick, to = native + thick;
  vec3 first = vec3(-0.5), end = vec3(last) + 0.5;
  if (any(lessThan(to, first - EDGE)) || any(greaterThan(from, end + EDGE))) return;
  vec3 axis = step(vec3(EDGE), thick);
  float evidence = axis == vec3(0.0) ? sampled(native, last)
    : strongest(clamp(from, first, end), clamp(to, first, end), axis, last);
  float strength = clamp(evidence / full, -signedColours, 1.0);
  float entry = signedColours > 0.5 ? (strength + 1.0) / 2.0 : strength;
  vec3 colour = texelFetch(colours, ivec2(int(floor(entry * 255.0 + 0.5)), 0), 0).rgb;
  heat = vec4(colour, 1.0) * abs(strength);
}`, q = 0, O = 1;
class Ge {
  constructor(e) {
    this.canvas = e, this.#e = Ae(e, !0), this.#t = new Ce(this.#e, Le), K(this.#e, O, this.#e.TEXTURE_2D);
  }
  #e;
  #t;
  #n = null;
  #a = null;
  #i = null;
  #o = [];
  /** Takes one finding's map (C order on the native grid) onto the graphics card. */
  load(e, n) {
    if (e === this.#a) return;
    const a = this.#e, [i = 1, o = 1, s = 1] = [1, ...n.native_shape].slice(-3);
    a.deleteTexture(this.#n), this.#n = K(a, q, a.TEXTURE_3D), a.texImage3D(a.TEXTURE_3D, 0, a.R32F, s, o, i, 0, a.RED, a.FLOAT, e), this.#o = ne(n.native_to_pixel), this.#a = e;
  }
  draw(e, n, a) {
    this.drawThrough(De(e, n), a);
  }
  /**
   * Draws on a plane that lies in the image at any angle: `matrix` takes (x, y, 1) in device pixels from the
   * canvas's left upper corner to (slice, row, column) on the pixel grid.
   */
  drawThrough(e, n) {
    this.#a && (this.#c(n.colourMap), this.#t.draw(
      {
        canvasHeight: this.canvas.height,
        full: n.scale,
        cells: n.cells ? 1 : 0,
        signedColours: H(n.colourMap) ? 1 : 0,
        reach: Ue(this.#o, n.reach ?? [0, 0, 0]),
        canvasToNative: Fe(He(this.#o, e))
      },
      { values: q, colours: O }
    ));
  }
  /** The pixels on the canvas as they are drawn now, premultiplied RGBA, top row first. */
  read(e, n, a) {
    return this.draw(e, n, a), Re(this.#e, e.width, e.height);
  }
  #c(e) {
    if (e === this.#i) return;
    const n = this.#e;
    n.activeTexture(n.TEXTURE0 + O);
    const a = Q(e);
    n.texImage2D(n.TEXTURE_2D, 0, n.RGB8, a.length / 3, 1, 0, n.RGB, n.UNSIGNED_BYTE, a), this.#i = e;
  }
}
function Ue(t, e) {
  const n = 4 - t.length;
  return [0, 1, 2].map(
    (a) => e.reduce(
      (i, o, s) => i + (t[a - n]?.[s - n] ?? 0) * o,
      0
    )
  );
}
function He(t, e) {
  const n = 4 - t.length;
  return [0, 1, 2].map((a) => {
    const i = t[a - n];
    return [0, 1, 2].map((o) => {
      if (!i) return 0;
      const s = o === 2 ? i[3 - n] ?? 0 : 0;
      return e.reduce(
        (c, d, l) => c + (i[l - n] ?? 0) * (d[o] ?? 0),
        s
      );
    });
  });
}
function Fe(t) {
  const e = (n) => t.map((a) => a[n] ?? 0);
  return [...e(0), 0, ...e(1), 0, 0, 0, 0, 0, ...e(2), 1];
}
const y = 128, ze = [24, 26, 29];
function ie(t, e, n, a) {
  const i = new Uint8ClampedArray(4 * y);
  for (let o = 0; o < y; o++) {
    const s = e - (e - t) * o / (y - 1), { rgb: c } = le(ze, s, e, n, a);
    i.set([...c, 255], 4 * o);
  }
  return i;
}
const We = (t, e) => [
  `≥ ${m(e)}`,
  m((t + e) / 2),
  t < 0 ? `≤ ${m(t)}` : m(t)
], h = {
  states: {
    waiting: "not explained yet",
    refused: "no explanation",
    explained: "explained"
  },
  study: {
    unnamed: "no name",
    images: "Images",
    otherStudies: "Same patient",
    prior: "prior",
    later: "later",
    findings: "Findings",
    reported: (t, e) => `${t} of ${e} reported`,
    reportedTitle: "A finding is reported from its operating point on",
    model: "Model",
    method: "Method",
    otherMethod: "Another method…",
    pastModel: (t) => `${t} (not current)`,
    image: (t) => `Image ${t}`,
    frame: (t) => `frame ${t}`,
    frames: (t) => `${t} frames`,
    notes: "Notes",
    toWorklist: "Studies"
  },
  finding: {
    belowOperatingPoint: "below operating point",
    noOperatingPoint: "no operating point",
    noneGiven: "none given",
    noMap: "no map kept",
    noSupport: "no supporting evidence",
    choose: (t) => `Show the evidence for ${t}`,
    operatingPoint: "Operating point",
    logit: "Logit",
    evidenceFor: "Evidence for",
    evidenceAgainst: "Evidence against",
    bias: "Bias",
    residual: "Residual",
    residualTitle: "The part of the logit that the map does not explain: logit − bias − sum of the map",
    biasTitle: "What the map is added to: the logit when the target layer is silent",
    baselineTitle: "What the map is added to: the logit of an image without its content (the method’s baseline)",
    relativeTitle: "This method's values have no unit; only the pattern within one map has a meaning.",
    none: "Choose a finding to see where the model found evidence for it."
  },
  viewport: {
    alone: "Image",
    withMap: "Image with map",
    mapOff: "map off",
    mapHidden: "map hidden while Space is held",
    label: (t) => `${t}. Drag: window. Wheel: zoom, or slices of a volume. Question mark: all keys.`,
    window: (t, e) => `C ${t}  W ${e}`,
    sigmoid: "sigmoid",
    exact: "exact",
    zoom: (t) => `zoom ${t}`,
    slice: (t, e) => `slice ${t} / ${e}`,
    place: (t, e) => `row ${t}, column ${e}`,
    placeInVolume: (t, e, n) => `slice ${t}, row ${e}, column ${n}`,
    inPatient: (t) => `${t} mm`,
    planes: { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" },
    planesUnnamed: ["Slices", "Across the rows", "Across the columns"],
    row: (t, e) => `row ${t} / ${e}`,
    column: (t, e) => `column ${t} / ${e}`,
    slicesHere: (t, e) => `${t} of ${e} slices here`,
    slab: (t) => `strongest evidence within ${t} mm`,
    inSlab: (t, e) => `strongest in the slab ${t} ${e}`,
    interpolated: (t) => `evidence interpolated from slice ${t}`,
    ofCell: (t) => `evidence of cells centred on slice ${t}`,
    stored: (t) => `stored ${t}`,
    modality: (t, e) => `${t} ${e}`,
    evidence: (t, e) => `evidence ${t} ${e}`,
    outsideField: "outside the field the network saw",
    cell: (t) => `cell ${t}`,
    cellPixels: (t) => `${t} px`,
    cellMm: (t) => `${t} mm`,
    noSupport: (t) => `No supporting evidence: no cell argues for ${t}.`,
    faint: (t, e, n) => `Little evidence for ${t}: at most ${e} logits a cell, where full colour is ${n}.`
  },
  legend: {
    title: "logits per cell",
    relativeTitle: "relative evidence",
    logits: "logits",
    relative: "relative",
    differenceTitle: "difference in logits per cell",
    fixed: "same scale for all findings and studies of this model and method",
    own: "scaled to this map’s own maximum: not comparable",
    label: (t, e, n) => `Colours from ${t} to ${e} ${n} per cell`
  },
  details: {
    aboutModel: "About this model, and what it is not for",
    title: "Details",
    display: "Display",
    slab: "Slab of evidence",
    slabTitle: "The strongest evidence within so many mm is seen at once",
    noSlab: "off",
    colourMap: "Colours",
    center: "Window center",
    width: "Window width",
    map: "Map",
    method: "Method",
    variant: "Variant",
    targetLayer: "Target layer",
    nativeGrid: "Native grid",
    cellSize: "Cell size",
    trust: "Trust",
    head: {
      linear: "Linear head, proven: map and bias add up to the logit.",
      nonlinear: "The head is not linear: the residual says how much of the logit the map leaves open.",
      unproven: "Not proven whether the head is linear."
    },
    deviation: (t) => `Largest deviation in the proof: ${t} logits.`,
    verdict: (t, e, n) => `This method: ${t}; proven on ${e} inputs${n > 0 ? `, ${n} of them images` : ""}.`,
    provenance: "Provenance",
    model: "Model",
    digest: "Model digest",
    imageDigest: "Pixel digest",
    software: "Software",
    precision: "Precision",
    created: "Created",
    notes: "Notes on the image",
    cautions: "Cautions"
  },
  trust: {
    badge: {
      holds: "Trust: all checks hold.",
      open: "Trust: nothing speaks against the map; not every check was made.",
      caution: "Trust: look twice."
    },
    sign: { holds: "✓", open: "·", caution: "!" },
    classAgnostic: "Explains no finding: the map is the same for all of them.",
    relative: "The values have no unit: the map shows where, not how much.",
    whole: "Complete: map and bias account for the whole logit.",
    complete: (t) => `Nearly complete: ${t} of the evidence is not on the map.`,
    incomplete: (t) => `Incomplete: ${t} of the evidence is not on the map. It shows where to look, not how much.`,
    cancelling: (t, e) => `For and against nearly cancel: ${t} of the ${e} logits that are left are not on the map.`,
    notCausal: "Causal check: not made.",
    noCause: (t) => `Causal check failed: to remove the hottest region lowers the logit no more than to remove others (z = ${t}). Do not rely on the place.`,
    cause: (t, e) => `Causal check passed: without the hottest region the logit is ${t} lower (z = ${e}).`,
    notStability: "Stability under small changes: not checked.",
    unstable: (t) => `Unstable: small changes of the image give another map (rank correlation ${t} at worst).`,
    stable: (t) => `Stable under small changes of the image (rank correlation ${t} at worst).`,
    noBody: "Where the body ends cannot be told, so no share outside it.",
    inside: (t) => `${t} of the evidence lies outside the body.`,
    outside: (t) => `${t} of the evidence lies outside the body: look for a shortcut.`,
    corners: (t) => `${t} of the evidence lies in the corners, where markers stand: look for a shortcut.`,
    focality: (t) => `Half of the evidence lies on ${t} of the area.`,
    border: (t) => `${t} of the evidence lies at the border of the map.`,
    otherMethodsAgree: (t) => `Other methods agree (median rank correlation ${t}).`,
    otherMethodsDiffer: (t) => `Other methods place the evidence elsewhere (median rank correlation ${t}).`,
    prior: (t, e) => `Since the prior the logit has changed by ${t}${e}.`,
    moved: (t) => `, and the evidence has moved by ${t}`
  }
}, je = {
  "grad-cam": "Grad-CAM",
  hirescam: "HiResCAM",
  "grad-cam++": "Grad-CAM++",
  "xgrad-cam": "XGrad-CAM",
  layercam: "LayerCAM",
  shapleycam: "ShapleyCAM",
  "finer-cam": "Finer-CAM",
  "counterfactual grad-cam": "Counterfactual Grad-CAM",
  cam: "CAM",
  "ablation-cam": "Ablation-CAM",
  "recipro-cam": "Recipro-CAM",
  "score-cam": "Score-CAM",
  "eigen-cam": "Eigen-CAM",
  "attention rollout": "Attention Rollout",
  fullgrad: "FullGrad",
  gradient: "Gradient",
  "input x gradient": "Input x Gradient",
  smoothgrad: "SmoothGrad",
  "integrated gradients": "Integrated Gradients",
  gradientshap: "GradientSHAP",
  deconvolution: "Deconvolution",
  "guided backpropagation": "Guided Backpropagation",
  "guided grad-cam": "Guided Grad-CAM",
  occlusion: "Occlusion",
  lime: "LIME",
  kernelshap: "KernelSHAP"
}, Be = (t) => je[t] ?? t;
function Ve(t, e, n) {
  const a = e.pixel_shape.length === 2;
  if (t.type === "stack" && (a || n !== null)) {
    const o = t.getImageData?.()?.imageData;
    return o ? (s) => {
      const [c = 0, d = 0] = Array.from(o.worldToIndex(t.canvasToWorld(s)));
      return [n ?? 0, d, c];
    } : null;
  }
  if (a || !e.pixel_to_patient) return null;
  const i = ne(e.pixel_to_patient);
  return (o) => te(i, t.canvasToWorld(o));
}
function Xe(t, e, n, a) {
  const i = t([0, 0]), o = t([e, 0]), s = t([0, n]);
  return i.map((c, d) => [
    ((o[d] ?? 0) - c) / (e * a),
    ((s[d] ?? 0) - c) / (n * a),
    c
  ]);
}
const r = {
  title: "Evidence",
  notice: "Research software, not a medical device. Explains the model, not the disease.",
  map: "Map",
  mapTitle: (t) => `Show or hide the evidence over the images (${t})`,
  cells: "Cells",
  cellsTitle: "Cells as the network computed them, or smooth",
  opacity: "Opacity",
  model: "Explained by",
  version: (t, e, n) => `${t} ${e} · ${n}`,
  none: "Choose a finding to see where the model found evidence for it.",
  peak: "Most evidence",
  peakTitle: "Go to the slice with most evidence",
  cannotBePlaced: "This image has no position in the patient, so its map cannot be drawn on this plane.",
  noWebGL: "This browser cannot draw the map: it needs WebGL 2.",
  noMap: "There is no map of this finding here.",
  caption: (t, e, n) => `${t} · 0 to ≥ ${e} ${n}`,
  noSupport: (t) => `No supporting evidence for ${t}`,
  trust: "Trust",
  provenance: "Provenance",
  cautions: "Cautions",
  notes: "Notes on the image",
  states: {
    loading: "Looking for explanations…",
    noImage: "The active viewport shows no image.",
    unknown: "This image is not in the station",
    unknownHow: "Send it there, or import it with “camlucida import”.",
    waiting: "Not explained yet",
    waitingHow: "The station is at work on it; this looks again every few seconds.",
    refused: "Refused",
    noExplanation: "No model has looked at this image",
    notReached: "The station does not answer",
    notReachedHow: (t) => `It should be at ${t}.`,
    again: "Try again",
    signedOut: "Signed out",
    signedOutHow: "Open the link that “camlucida serve --new-token” prints, then try again.",
    token: "Access token",
    tokenHow: "This OHIF has another origin than the station, which opens it with an access token only.",
    useToken: "Use",
    failed: "This cannot be shown"
  },
  flag: {
    open: "Flag this map…",
    title: (t) => `What is wrong with the map of ${t}?`,
    text: "More, if you like (no names)",
    send: "Keep",
    cancel: "Cancel",
    sending: "Sending…",
    kept: "Kept. Thank you.",
    notKept: (t) => `Not kept: ${t}`,
    needsText: "Say what is wrong.",
    reasons: {
      "wrong place": "Wrong place",
      incoherent: "Incoherent",
      "shortcut or device": "Shortcut or device",
      "wrong side": "Wrong side",
      artefact: "Artefact",
      other: "Other"
    }
  }
};
class Ke {
  constructor(e, n) {
    this.ohif = e, this.evidence = n;
  }
  #e = /* @__PURE__ */ new Map();
  #t = null;
  #n = !1;
  start() {
    document.addEventListener(Z, (e) => this.#a(e), !0), this.evidence.addEventListener("change", () => this.drawAll());
  }
  drawAll() {
    for (const [e, n] of this.#e)
      e.isConnected ? this.#o(n) : this.#e.delete(e);
  }
  #a(e) {
    const { viewportId: n } = e.detail ?? {}, a = this.ohif.viewport(n ?? null);
    a?.canvas && this.#o(this.#i(a, a.canvas));
  }
  #i(e, n) {
    const i = this.#e.get(e.element) ?? qe(e);
    return i.viewport = e, i.canvas.previousElementSibling !== n && n.after(i.canvas, i.caption), this.#e.set(e.element, i), i;
  }
  #o(e) {
    const { canvas: n, caption: a, viewport: i } = e, o = this.evidence.view.map ? this.ohif.shown(i) : null, s = o && this.evidence.of(o, () => this.ohif.instances(i)), c = s?.state === "explained" ? s : null, d = c && this.#c(e, c.shown, c.slice);
    N(n, d === !0), n.style.opacity = String(this.evidence.view.opacity), N(a, c !== null && this.evidence.view.finding !== null), c && this.#f(e, c.shown, d === !0);
  }
  /** Whether the map lies on the canvas now. */
  #c({ canvas: e, viewport: n }, a, i) {
    const o = this.evidence.map(a), { geometry: s } = a.record.saliency_map, c = o && Ve(n, s, i), d = this.#s(), { clientWidth: l, clientHeight: p } = n.canvas ?? e;
    if (!o || !c || !d || l === 0 || p === 0) return !1;
    const w = window.devicePixelRatio || 1;
    for (const I of [e, d.canvas])
      Je(I, Math.round(l * w), Math.round(p * w));
    e.style.width = `${l}px`, e.style.height = `${p}px`, d.load(o.values, s);
    const { cells: S } = this.evidence.view;
    d.drawThrough(Xe(c, l, p, e.width / l), {
      cells: S,
      colourMap: D,
      scale: o.scale
    });
    const $ = e.getContext("2d");
    return $?.clearRect(0, 0, e.width, e.height), $?.drawImage(d.canvas, 0, 0), !0;
  }
  /** What is over the image, in words: also that there is nothing, and why. */
  #f({ text: e, colours: n }, a, i) {
    const o = this.evidence.map(a), s = o !== null && a.record.saliency_map.supported[o.index] === !0;
    N(n, i && s), i && s && n.getContext("2d")?.putImageData(Qe(ie(0, o.scale, this.evidence.view.opacity, D)), 0, 0), ee(e, this.#r(a, i, s));
  }
  #r({ record: e }, n, a) {
    const { finding: i } = this.evidence.view, o = e.scales[e.saliency_map.findings.indexOf(i ?? "")];
    if (i === null || o === void 0) return r.noMap;
    if (this.#n) return r.noWebGL;
    if (!n) return r.cannotBePlaced;
    if (!a) return r.noSupport(i);
    const { legend: s } = h, c = e.saliency_map.unit === "relative" ? s.relativeTitle : s.title;
    return r.caption(i, m(o), c);
  }
  #s() {
    if (this.#t || this.#n) return this.#t;
    try {
      const e = document.createElement("canvas");
      e.addEventListener("webglcontextlost", (n) => n.preventDefault()), e.addEventListener("webglcontextrestored", () => {
        this.#t = null, this.drawAll();
      }), this.#t = new Ge(e);
    } catch {
      this.#n = !0;
    }
    return this.#t;
  }
}
function qe(t) {
  const e = f("canvas", { attributes: { "data-camlucida": "map", "aria-hidden": "true" } }), n = f("canvas", { attributes: { width: y, height: 1, "aria-hidden": "true" } }), a = f("span"), i = f("div", { attributes: { "data-camlucida": "caption" } }, n, a);
  return Object.assign(e.style, { position: "absolute", top: "0", left: "0", pointerEvents: "none" }), Object.assign(n.style, { width: "72px", height: "8px", borderRadius: "2px" }), Object.assign(i.style, Ye), { viewport: t, canvas: e, caption: i, colours: n, text: a };
}
const Ye = {
  position: "absolute",
  bottom: "8px",
  left: "50%",
  transform: "translateX(-50%)",
  alignItems: "center",
  columnGap: "8px",
  width: "max-content",
  maxWidth: "calc(100% - 16px)",
  flexWrap: "wrap",
  justifyContent: "center",
  padding: "2px 8px",
  borderRadius: "4px",
  background: "rgb(10 11 13 / 75%)",
  color: "#dfe3e8",
  font: "12px / 1.5 system-ui, sans-serif",
  textAlign: "center",
  pointerEvents: "none"
};
function N(t, e) {
  t.style.display = e ? t instanceof HTMLCanvasElement ? "block" : "flex" : "none";
}
function Je(t, e, n) {
  t.width !== e && (t.width = e), t.height !== n && (t.height = n);
}
function Qe(t) {
  const e = new ImageData(y, 1);
  for (let n = 0; n < y; n++)
    e.data.set(t.subarray(4 * n, 4 * n + 4), 4 * (y - 1 - n));
  return e;
}
function Ze(t, e) {
  const n = f("span", { class: "probability-bar", attributes: { "aria-hidden": "true" } }), a = f("span", { class: "probability-filled" });
  if (a.style.width = `${100 * t}%`, n.append(a), e !== null) {
    const i = f("span", { class: "probability-tick" });
    i.style.left = `${100 * e}%`, n.append(i);
  }
  return n;
}
const et = "input";
function tt(t, e) {
  const n = t.saliency_map, a = t.trust.findings[e];
  return [
    f("h2", {}, n.findings[e] ?? ""),
    f("dl", { class: "numbers" }, ...nt(t, e).flat()),
    ...n.supported[e] ? [] : [f("p", { class: "told" }, at(h.finding.noSupport))],
    ...a ? [f("p", { class: "trust" }, a.statement)] : []
  ];
}
function nt(t, e) {
  const { finding: n } = h, a = t.saliency_map, i = t.prediction.findings.findIndex(({ name: l }) => l === a.findings[e]), o = t.prediction.findings[i]?.operating_point ?? null, s = a.logits[e] ?? 0, c = [
    k(n.operatingPoint, o === null ? n.noneGiven : g(o)),
    k(n.logit, T(s))
  ];
  if (a.unit === "relative") return [...c, [f("p", { class: "told" }, n.relativeTitle)]];
  const d = a.target_layer === et ? n.baselineTitle : n.biasTitle;
  return [
    ...c,
    k(n.evidenceFor, T(a.evidence_for[e] ?? 0)),
    k(n.evidenceAgainst, T(a.evidence_against[e] ?? 0)),
    k(n.bias, T(a.bias[e] ?? 0), d),
    k(n.residual, T(a.residual[e] ?? 0), n.residualTitle)
  ];
}
const at = (t) => `${t.charAt(0).toUpperCase()}${t.slice(1)}.`;
function k(t, e, n = null) {
  return [f("dt", { attributes: { title: n } }, t), f("dd", {}, e)];
}
function it(t) {
  const { findings: e, probabilities: n } = t.prediction;
  return e.map(({ name: a, operating_point: i }, o) => ({
    name: a,
    probability: n[o] ?? 0,
    operatingPoint: i,
    map: t.saliency_map.findings.indexOf(a)
  })).sort((a, i) => i.probability - a.probability);
}
const L = (t) => t.operatingPoint === null ? null : t.probability >= t.operatingPoint;
function ot(t, e) {
  const { evidence_for: n, evidence_against: a, supported: i, unit: o } = e.saliency_map;
  return t.map < 0 ? h.finding.noMap : i[t.map] ? o === "relative" ? "" : `${T(n[t.map] ?? 0)}  ${T(a[t.map] ?? 0)}` : h.finding.noSupport;
}
function st(t) {
  return t.operatingPoint === null ? h.finding.noOperatingPoint : L(t) ? "" : h.finding.belowOperatingPoint;
}
const E = { residual: 0.1, outside: 0.2, corners: 0.25, faint: 0.1, stronger: 2, same: 0.5 }, ct = ["attention rollout", "eigen-cam"], ft = ["counterfactual grad-cam"], rt = 5e-3, { trust: u } = h, b = (t, e) => ({ weight: t, text: e });
function dt(t, e) {
  const n = t.trust.findings[e];
  if (!n) return [];
  if (ct.includes(t.saliency_map.method)) return [b("caution", u.classAgnostic)];
  const a = t.saliency_map.supported[e] && !lt(t, e);
  return [
    ut(t, e, n),
    ...a ? [bt(t, n), ht(n), pt(n), ...mt(n)] : [],
    ...a ? [...gt(n), ...vt(n)] : [],
    ...wt(n)
  ].filter((i) => i !== null);
}
function lt({ saliency_map: t }, e) {
  return t.unit === "logit" && (t.evidence_for[e] ?? 0) < E.faint;
}
function ut({ saliency_map: t }, e, { residual_share: n }) {
  if (t.unit === "relative") return b("open", u.relative);
  const a = Math.abs(t.residual[e] ?? 0), i = Math.abs((t.logits[e] ?? 0) - (t.bias[e] ?? 0));
  return n > E.residual ? b("caution", u.incomplete(g(n))) : a > Math.max(E.faint, i / 2) ? b("caution", u.cancelling(m(a, 2), m(i, 2))) : n < rt ? b("holds", u.whole) : b("holds", u.complete(g(n)));
}
function bt({ saliency_map: t }, { causal: e }) {
  if (ft.includes(t.method)) return null;
  if (!e) return b("open", u.notCausal);
  const n = m(e.z, 2);
  return e.z < E.stronger ? b("caution", u.noCause(n)) : b("holds", u.cause(m(e.effect, 2), n));
}
function ht({ stability: t }) {
  if (typeof t?.worst != "number") return b("open", u.notStability);
  const e = m(t.worst, 2);
  return t.worst < E.same ? b("caution", u.unstable(e)) : b("holds", u.stable(e));
}
function pt({ outside_share: t }) {
  return typeof t != "number" ? b("open", u.noBody) : t < E.outside ? b("holds", u.inside(g(t))) : b("caution", u.outside(g(t)));
}
function mt({ corner_share: t }) {
  return typeof t != "number" || t < E.corners ? [] : [b("caution", u.corners(g(t)))];
}
function gt({ focality: t, border_share: e }) {
  return [
    ...t === null ? [] : [b("open", u.focality(g(t)))],
    ...typeof e == "number" ? [b("open", u.border(g(e)))] : []
  ];
}
function vt({ agreement: t }) {
  if (typeof t?.correlation != "number") return [];
  const e = m(t.correlation, 2);
  return t.correlation < E.same ? [b("caution", u.otherMethodsDiffer(e))] : [b("holds", u.otherMethodsAgree(e))];
}
function wt({ prior: t }) {
  if (!t) return [];
  const { shift: e, shift_unit: n, logit_change: a } = t, i = e === null ? "" : n === "mm" ? `${m(e, 2)} mm` : g(e);
  return [b("open", u.prior(T(a), i && u.moved(i)))];
}
function yt({ trust: t }) {
  const { details: e } = h, { head_deviation: n, verdict: a, head_inputs: i = 0, head_images: o = 0 } = t;
  return [
    e.head[t.head],
    ...n === null ? [] : [e.deviation(m(n, 2))],
    ...a ? [e.verdict(a, i, o)] : [],
    ...t.body ? [t.body] : []
  ];
}
function xt({ provenance: t }) {
  const { details: e } = h, { model_name: n, model_version: a, model_digest: i, pixel_digest: o } = t;
  return [
    [e.model, `${n} ${a}`],
    [e.digest, X(i), i],
    [e.imageDigest, X(o), o],
    [e.software, `camlucida ${t.library_version}, torch ${t.torch_version}`],
    [e.precision, `${t.precision}, ${t.device}`],
    [e.created, $e(t.created)]
  ];
}
const Tt = 2e3;
class oe extends HTMLElement {
  #e = null;
  #t = f("textarea", {
    attributes: {
      maxlength: Tt,
      rows: 2,
      placeholder: r.flag.text,
      "aria-label": r.flag.text
    }
  });
  /** What would be flagged now; null: nothing. */
  about(e) {
    const n = e?.shown === this.#e?.shown && e?.finding === this.#e?.finding;
    this.#e = e, n || this.#n();
  }
  #n(e = "") {
    const n = f(
      "button",
      { attributes: { type: "button" }, on: { click: () => this.#a() } },
      r.flag.open
    );
    x(
      this,
      this.#e && n,
      e && f("p", { class: "told", attributes: { role: "status" } }, e)
    );
  }
  #a() {
    if (!this.#e) return;
    this.#t.value = "";
    const e = Object.entries(r.flag.reasons).map(
      ([a, i]) => f(
        "button",
        {
          attributes: { type: "button", "data-reason": a },
          on: { click: () => this.#i(a) }
        },
        i
      )
    ), n = { click: () => this.#n() };
    x(
      this,
      f("h2", {}, r.flag.title(this.#e.finding)),
      this.#t,
      f("div", { class: "reasons" }, ...e),
      f("button", { class: "quiet", attributes: { type: "button" }, on: n }, r.flag.cancel)
    ), this.scrollIntoView({ block: "nearest" });
  }
  async #i(e) {
    const n = this.#e, a = this.#t.value.trim();
    if (n) {
      if (e === "other" && !a) {
        this.#t.setCustomValidity(r.flag.needsText), this.#t.reportValidity(), this.#t.setCustomValidity("");
        return;
      }
      for (const i of this.querySelectorAll("button")) i.disabled = !0;
      try {
        const { evidence: i, shown: o, finding: s } = n;
        await i.station.flag(o.row.key, { finding: s, reason: e, text: a, view: Et(n) }), this.#n(r.flag.kept);
      } catch (i) {
        for (const s of this.querySelectorAll("button")) s.disabled = !1;
        this.querySelector(".told")?.remove();
        const o = i instanceof F ? r.states.signedOut : i.message;
        this.append(
          f(
            "p",
            { class: "told", attributes: { role: "alert" } },
            r.flag.notKept(o || r.states.notReached)
          )
        );
      }
    }
  }
}
function Et({ evidence: t, shown: e, viewport: n }) {
  const { map: a, opacity: i, cells: o } = t.view, s = n(), c = s?.getCamera?.();
  return {
    viewer: "OHIF",
    explanation: A(e.row).slice(0, 100),
    map: a,
    opacity: i,
    cells: o,
    kind: s?.type ?? null,
    rotation: s?.getRotation?.() ?? null,
    zoom: s?.getZoom?.() ?? null,
    flipped_horizontally: c?.flipHorizontal ?? null,
    flipped_vertically: c?.flipVertical ?? null
  };
}
customElements.define("camlucida-flag", oe);
const kt = ":host{--line: #23315a;--weak: #9aa7c4;--accent: #7fb4ff;--told: #e3b261;display:flex;flex-direction:column;height:100%;min-height:0;color:#e6eaf2;font:13px/1.45 system-ui,-apple-system,Segoe UI,Liberation Sans,Arial,sans-serif}*{box-sizing:border-box}[hidden]{display:none}.body{display:flex;flex:1 1 0;flex-direction:column;gap:10px;min-height:0;padding:10px 0;overflow:hidden auto}.body>*{flex:none;margin:0 10px}.notice{margin:0;padding:6px 10px;border-top:1px solid var(--line);color:var(--told);font-size:11.5px}h2{margin:0;font-size:13px;font-weight:600}p,ul,dl,dd{margin:0;padding:0}.weak,.weak h2{color:var(--weak)}.numbers{font-variant-numeric:tabular-nums}button,select,input,textarea{border:1px solid var(--line);border-radius:5px;background:#0b1327;color:inherit;font:inherit}button,select{min-height:28px;padding:2px 10px}button{cursor:pointer}button:hover:not(:disabled){border-color:#46598c}button:disabled{opacity:.5;cursor:default}button[aria-pressed=true]{border-color:#3f63a3;background:#14284f;color:#d4e4ff}:focus-visible{outline:2px solid var(--accent);outline-offset:1px}.message{display:grid;justify-items:start;gap:8px;padding-top:12px;color:var(--weak)}.message h2{color:#e6eaf2}.tools{display:grid;grid-template-columns:auto auto minmax(40px,1fr) 40px;align-items:center;gap:8px}.tools output{text-align:right}input[type=range]{width:100%;padding:0;accent-color:var(--accent)}.head{display:flex;align-items:baseline;justify-content:space-between}.list{display:grid;gap:4px;max-height:42vh;overflow:auto}.finding{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:2px 8px;width:100%;padding:5px 8px;text-align:left}.finding-name{overflow:hidden;font-weight:600;text-overflow:ellipsis;white-space:nowrap}.below .finding-name,.below .finding-probability{font-weight:400;color:#b9c3d8}.probability-bar{position:relative;grid-column:1 / -1;height:3px;border-radius:2px;background:#22304f}.probability-filled{position:absolute;inset:0 auto 0 0;border-radius:2px;background:#8fa8d8}.probability-tick{position:absolute;top:-2px;width:2px;height:7px;background:#e6eaf2}.finding-foot{display:flex;grid-column:1 / -1;justify-content:space-between;min-height:1.3em;color:var(--weak);font-size:11.5px}.chosen{display:grid;gap:8px}dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:1px 12px}dt{color:var(--weak)}dd{overflow-wrap:anywhere;text-align:right}.told{color:var(--told)}.trust{color:#c5cede}ul{padding-left:16px}details>*+*{margin-top:6px}summary{color:var(--weak);cursor:pointer}.legend{display:grid;grid-template-columns:12px auto minmax(0,1fr);gap:8px;font-size:11.5px}.legend canvas{width:12px;height:64px;border-radius:2px}.ticks{display:flex;flex-direction:column;justify-content:space-between}camlucida-flag{display:grid;gap:6px}camlucida-flag textarea{width:100%;padding:4px 6px;resize:vertical}.reasons{display:grid;grid-template-columns:1fr 1fr;gap:6px}.quiet{border-color:transparent;background:none;color:var(--weak)}.by{display:grid;gap:4px;font-size:11.5px}.token{display:flex;gap:6px}.token input{min-height:28px;padding:0 6px}";
function $t(t, e) {
  const [, n, a] = e.native_shape;
  if (n === void 0 || a === void 0) return null;
  let i = 0;
  for (let c = 1; c < t.length; c++) (t[c] ?? 0) > (t[i] ?? 0) && (i = c);
  if (!((t[i] ?? 0) > 0)) return null;
  const o = [Math.floor(i / (n * a)), Math.floor(i / a) % n, i % a], s = Math.round(te(e.native_to_pixel, o)[0] ?? 0);
  return Math.min((e.pixel_shape[0] ?? 1) - 1, Math.max(0, s));
}
const G = "camlucida-panel", U = "m";
let v = null;
function _t(t, e) {
  v = { ohif: t, evidence: e }, customElements.get(G) || customElements.define(G, St);
}
class St extends HTMLElement {
  #e = this.attachShadow({ mode: "open" });
  #t = f("div", { class: "body" });
  #n = f("button", {
    attributes: { type: "button", title: r.mapTitle(U), "aria-keyshortcuts": U },
    on: { click: () => this.#u?.toggle() }
  });
  #a = f("button", {
    attributes: { type: "button", title: r.cellsTitle },
    on: { click: () => this.#u?.change({ cells: !this.#u.view.cells }) }
  });
  #i = f("input", {
    attributes: { type: "range", min: 0, max: 100, "aria-label": r.opacity },
    on: { input: () => this.#u?.change({ opacity: this.#i.valueAsNumber / 100 }) }
  });
  #o = f("output", { class: "numbers" });
  #c = f("div", { class: "list" });
  #f = f("div", { class: "chosen", attributes: { "aria-live": "polite" } });
  #r = new oe();
  #s = new AbortController();
  #d = [];
  #l = [];
  constructor() {
    super();
    const e = new CSSStyleSheet();
    e.replaceSync(kt), this.#e.adoptedStyleSheets = [e], this.#n.textContent = r.map, this.#a.textContent = r.cells, this.#e.append(this.#t, f("p", { class: "notice" }, r.notice));
  }
  get #u() {
    return v?.evidence ?? null;
  }
  connectedCallback() {
    if (!v) return;
    this.#s = new AbortController();
    const { signal: e } = this.#s;
    v.evidence.addEventListener("change", () => this.#b(), { signal: e });
    const n = v.ohif.services.viewportGridService;
    for (const a of ["ACTIVE_VIEWPORT_ID_CHANGED", "GRID_STATE_CHANGED", "VIEWPORTS_READY"]) {
      const i = n.EVENTS[a];
      if (!i) continue;
      const { unsubscribe: o } = n.subscribe(i, () => this.#b());
      e.addEventListener("abort", () => o());
    }
    document.addEventListener("CORNERSTONE_IMAGE_RENDERED", () => this.#b(), { signal: e, capture: !0 }), this.#d = [], this.#b();
  }
  disconnectedCallback() {
    this.#s.abort();
  }
  #b() {
    if (!v) return;
    const { ohif: e, evidence: n } = v, a = e.active, i = a && e.shown(a);
    if (!a || !i) {
      this.#h(r.states.noImage);
      return;
    }
    const o = n.of(i, () => e.instances(a));
    o.state === "explained" ? this.#v(a, o.image, o.shown, n) : this.#m(o, n);
  }
  // ---- where there is no map ----
  #m(e, n) {
    const { title: a, how: i, action: o } = e.state === "failed" ? At(e.error, n) : Mt(e), s = { again: () => this.#g(n), token: () => Rt(n) };
    this.#h(a, i, o ? s[o] : void 0);
  }
  #h(e, n = "", a) {
    if (!this.#p([e, n])) return;
    const i = [f("h2", {}, e), n, a?.()];
    x(this.#t, f("div", { class: "message", attributes: { role: "status" } }, ...i));
  }
  #g(e) {
    return f("button", { attributes: { type: "button" }, on: { click: () => e.retry() } }, r.states.again);
  }
  /** Whether something else is to be built than what stands there. */
  #p(e) {
    return e.length === this.#d.length && e.every((n, a) => n === this.#d[a]) ? !1 : (this.#d = e, this.#l = [], !0);
  }
  // ---- where there is one ----
  #v(e, n, a, i) {
    this.#p([a, n.key]) && this.#w(n, a, i);
    const { map: o, opacity: s, cells: c, finding: d } = i.view;
    this.#n.ariaPressed = String(o), this.#a.ariaPressed = String(c), this.#i.valueAsNumber !== Math.round(100 * s) && (this.#i.valueAsNumber = Math.round(100 * s)), ee(this.#o, g(s));
    for (const l of this.#c.querySelectorAll("button"))
      l.ariaPressed = String(l.dataset.finding === d);
    this.#x(e, n, a, i);
  }
  #w(e, n, a) {
    const { record: i } = n, o = it(i), s = o.filter((c) => L(c) === !0).length;
    x(this.#c, ...o.map((c) => this.#y(c, n, a))), x(
      this.#t,
      f("div", { class: "tools" }, this.#n, this.#a, this.#i, this.#o),
      f(
        "div",
        { class: "head" },
        f("h2", {}, h.study.findings),
        f("span", { class: "weak" }, h.study.reported(s, o.length))
      ),
      this.#c,
      this.#f,
      this.#r,
      Ct(e, n, a)
    );
  }
  #y(e, { record: n }, a) {
    const i = f(
      "button",
      {
        class: `finding${L(e) === !1 ? " below" : ""}`,
        attributes: { type: "button", title: h.finding.choose(e.name), "data-finding": e.name },
        on: { click: () => a.change({ finding: e.name, map: !0 }) }
      },
      f("span", { class: "finding-name" }, e.name),
      f("span", { class: "finding-probability numbers" }, ke(e.probability)),
      Ze(e.probability, e.operatingPoint),
      f(
        "span",
        { class: "finding-foot" },
        f("span", { class: "numbers" }, ot(e, n)),
        f("span", {}, st(e))
      )
    );
    return i.disabled = e.map < 0, i;
  }
  #x(e, n, a, i) {
    const { finding: o, opacity: s } = i.view, c = [a, o, s, e.type];
    if (this.#l.length > 0 && c.every((p, w) => p === this.#l[w])) return;
    this.#l = c;
    const d = i.map(a);
    if (this.#r.about(
      d && o !== null ? { evidence: i, shown: a, finding: o, viewport: () => v?.ohif.active ?? null } : null
    ), !d) {
      x(this.#f, f("p", { class: "weak" }, r.none));
      return;
    }
    const { record: l } = a;
    x(
      this.#f,
      ...tt(l, d.index),
      l.saliency_map.supported[d.index] ? It(d.scale, s, l.saliency_map.unit) : null,
      this.#T(e, n, a, d.values),
      P(r.trust, [
        Y([
          ...dt(l, d.index).map(({ text: p }) => p),
          ...yt(l),
          ...l.trust.cautions
        ])
      ]),
      P(r.provenance, [Ot(xt(l))]),
      n.notes.length > 0 ? P(r.notes, [Y(n.notes)]) : null
    );
  }
  #T(e, n, { record: a }, i) {
    const o = $t(i, a.saliency_map.geometry), s = n.instances.find((l) => l.slice === o)?.sop_instance_uid, c = s === void 0 ? -1 : v?.ohif.instances(e).indexOf(s) ?? -1;
    if (o === null || c < 0 || e.type !== "stack") return null;
    const d = { click: () => void v?.ohif.active?.setImageIdIndex?.(c) };
    return f(
      "button",
      { attributes: { type: "button", title: r.peakTitle }, on: d },
      `${r.peak}: ${h.viewport.slice(c + 1, n.instances.length)}`
    );
  }
}
function Mt(t) {
  const { states: e } = r;
  switch (t.state) {
    case "loading":
      return { title: e.loading, how: "" };
    case "unknown":
      return { title: e.unknown, how: e.unknownHow, action: "again" };
    case "no explanation":
      return { title: e.noExplanation, how: "", action: "again" };
    case "waiting":
      return { title: e.waiting, how: t.reason ?? e.waitingHow };
    case "refused":
      return { title: e.refused, how: t.reason ?? "" };
  }
}
function At(t, { station: e }) {
  const { states: n } = r;
  return t instanceof z ? { title: n.notReached, how: n.notReachedHow(e.url), action: "again" } : t instanceof F ? e.foreign ? { title: n.signedOut, how: n.tokenHow, action: "token" } : { title: n.signedOut, how: n.signedOutHow, action: "again" } : { title: n.failed, how: t instanceof Error ? t.message : "", action: "again" };
}
function Ct(t, { row: e }, n) {
  const a = (o) => r.version(o.model, o.model_version, Be(o.method)) + (o.state === "explained" ? "" : ` · ${h.states[o.state]}`);
  if (t.explanations.length < 2) return f("p", { class: "by weak" }, `${r.model} ${a(e)}`);
  const i = f(
    "select",
    { on: { change: () => n.change({ by: i.value }) } },
    ...t.explanations.map((o) => f("option", { attributes: { value: A(o) } }, a(o)))
  );
  return i.value = A(e), f("label", { class: "by weak" }, r.model, i);
}
function It(t, e, n) {
  const a = f("canvas", { attributes: { width: 1, height: y } });
  a.getContext("2d")?.putImageData(new ImageData(ie(0, t, e, D), 1, y), 0, 0);
  const i = n === "relative", { legend: o } = h;
  return a.setAttribute("role", "img"), a.setAttribute("aria-label", o.label("0", m(t), i ? o.relative : o.logits)), f(
    "div",
    { class: "legend" },
    a,
    f("div", { class: "ticks numbers" }, ...We(0, t).map((s) => f("span", {}, s))),
    f(
      "div",
      { class: "weak" },
      f("div", {}, i ? o.relativeTitle : o.title),
      f("div", {}, i ? o.own : o.fixed)
    )
  );
}
function Rt(t) {
  const e = f("input", {
    attributes: { type: "password", autocomplete: "off", "aria-label": r.states.token }
  }), n = (i) => {
    i.preventDefault(), t.station.useToken(e.value), t.retry();
  }, a = f("button", { attributes: { type: "submit" } }, r.states.useToken);
  return f("form", { class: "token", on: { submit: n } }, e, a);
}
function P(t, e) {
  return f("details", {}, f("summary", {}, t), ...e);
}
const Ot = (t) => f(
  "dl",
  {},
  ...t.flatMap(([e, n, a]) => [
    f("dt", {}, e),
    f("dd", { attributes: { title: a ?? null } }, n)
  ])
), Y = (t) => f("ul", {}, ...t.map((e) => f("li", {}, e))), Nt = 250, Pt = 40;
class Dt {
  constructor(e) {
    this.ohif = e;
  }
  /** How often each image was drawn again already; an image of another address starts anew. */
  #e = /* @__PURE__ */ new WeakMap();
  start() {
    document.addEventListener(Z, (e) => this.#t(e), !0);
  }
  #t(e) {
    const { viewportId: n } = e.detail ?? {}, a = this.ohif.viewport(n ?? null);
    if (!a || Lt(a) || !this.ohif.showsReport(a.id)) return;
    const i = a.getCurrentImageId?.() ?? "", o = this.#e.get(a.element), s = o?.image === i ? o.count + 1 : 1;
    s > Pt || (this.#e.set(a.element, { image: i, count: s }), setTimeout(() => a.element.isConnected && a.render?.(), Nt));
  }
}
const Lt = (t) => t.element.querySelector("svg.svg-layer :is(polyline, path, line)") !== null;
let _ = null;
function Gt(t) {
  const e = window.config?.camlucida, n = new xe(t);
  _ = new ge(new he(be(import.meta.url, e), e)), _t(n, _), new Ke(n, _).start(), new Dt(n).start(), document.addEventListener("keydown", Ut);
}
function Ut(t) {
  if (t.key !== U || t.ctrlKey || t.metaKey || t.altKey || t.repeat) return;
  const [e] = t.composedPath();
  e instanceof HTMLElement && e.matches("input:not([type=range]), textarea, select, [contenteditable]") || _?.toggle();
}
const Ht = {
  id: "camlucida",
  preRegistration: Gt,
  getPanelModule: () => [
    {
      name: "evidence",
      iconName: "EyeVisible",
      iconLabel: r.title,
      label: r.title,
      component: () => Te(G)
    }
  ],
  /** For toolbars and hotkeys of a hospital's own. */
  getCommandsModule: () => ({
    definitions: { toggleEvidence: { commandFn: () => _?.toggle() } },
    defaultContext: "DEFAULT"
  })
};
export {
  Ht as default
};
