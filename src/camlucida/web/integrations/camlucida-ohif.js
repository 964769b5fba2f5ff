const ie = { inferno: { label: "inferno", kind: "sequential", rgb: "00000300000400000601000701010901010b02010e02021003021204031404031605041806041b07051d08061f0906210a07230b07260d08280e082a0f092d10092f120a32130a34140b36160b39170b3b190b3e1a0b401c0c431d0c451f0c47200c4a220b4c240b4e260b50270b52290b542b0a562d0a582e0a5a300a5c32095d34095f3509603709613909623b09643c09653e0966400966410967430a68450a69460a69480b6a4a0b6a4b0c6b4d0c6b4f0d6c500d6c520e6c530e6d550f6d570f6d58106d5a116d5b116e5d126e5f126e60136e62146e63146e65156e66156e68166e6a176e6b176e6d186e6e186e70196e72196d731a6d751b6d761b6d781c6d7a1c6d7b1d6c7d1d6c7e1e6c801f6b811f6b83206b85206a86216a88216a8922698b22698d23698e24689024689125679325679526669626669827659928649b28649c29639e2963a02a62a12b61a32b61a42c60a62c5fa72d5fa92e5eab2e5dac2f5cae305baf315bb1315ab23259b43358b53357b73456b83556ba3655bb3754bd3753be3852bf3951c13a50c23b4fc43c4ec53d4dc73e4cc83e4bc93f4acb4049cc4148cd4247cf4446d04544d14643d24742d44841d54940d64a3fd74b3ed94d3dda4e3bdb4f3adc5039dd5238de5337df5436e05634e25733e35832e45a31e55b30e65c2ee65e2de75f2ce8612be9622aea6428eb6527ec6726ed6825ed6a23ee6c22ef6d21f06f1ff0701ef1721df2741cf2751af37719f37918f47a16f57c15f57e14f68012f68111f78310f7850ef8870df8880cf88a0bf98c09f98e08f99008fa9107fa9306fa9506fa9706fb9906fb9b06fb9d06fb9e07fba007fba208fba40afba60bfba80dfbaa0efbac10fbae12fbb014fbb116fbb318fbb51afbb71cfbb91efabb21fabd23fabf25fac128f9c32af9c52cf9c72ff8c931f8cb34f8cd37f7cf3af7d13cf6d33ff6d542f5d745f5d948f4db4bf4dc4ff3de52f3e056f3e259f2e45df2e660f1e864f1e968f1eb6cf1ed70f1ee74f1f079f1f27df2f381f2f485f3f689f4f78df5f891f6fa95f7fb99f9fc9dfafda0fcfea4" }, magma: { label: "magma", kind: "sequential", rgb: "00000300000400000601000701010901010b02020d02020f03031104031304041505041706051907051b08061d09071f0a07220b08240c09260d0a280e0a2a0f0b2c100c2f110c31120d33140d35150e38160e3a170f3c180f3f1a10411b10441c10461e10491f114b20114d2211502311522511552611572811592a115c2b115e2d10602f1062301065321067341068350f6a370f6c390f6e3b0f6f3c0f713e0f72400f73420f74430f75450f76470f774810784a10794b10794d117a4f117b50127b52127c53137c55137d57147d58157e5a157e5b167e5d177e5e177f60187f61187f63197f651a80661a80681b80691c806b1c806c1d806e1e816f1e81711f81731f817420817621817721817922817a22817c23817e24817f24818125818225818426818526818727818928818a28818c29808d29808f2a80912a80922b80942b80952c80972c7f992d7f9a2d7f9c2e7f9e2e7e9f2f7ea12f7ea3307ea4307da6317da7317da9327cab337cac337bae347bb0347bb1357ab3357ab53679b63679b83778b93778bb3877bd3977be3976c03a75c23a75c33b74c53c74c63c73c83d72ca3e72cb3e71cd3f70ce4070d0416fd1426ed3426dd4436dd6446cd7456bd9466ada4769dc4869dd4968de4a67e04b66e14c66e24d65e44e64e55063e65162e75262e85461ea5560eb5660ec585fed595fee5b5eee5d5def5e5df0605df1615cf2635cf3655cf3675bf4685bf56a5bf56c5bf66e5bf6705bf7715bf7735cf8755cf8775cf9795cf97b5df97d5dfa7f5efa805efa825ffb8460fb8660fb8861fb8a62fc8c63fc8e63fc9064fc9265fc9366fd9567fd9768fd9969fd9b6afd9d6bfd9f6cfda16efda26ffda470fea671fea873feaa74feac75feae76feaf78feb179feb37bfeb57cfeb77dfeb97ffebb80febc82febe83fec085fec286fec488fec689fec78bfec98dfecb8efdcd90fdcf92fdd193fdd295fdd497fdd698fdd89afdda9cfddc9dfddd9ffddfa1fde1a3fce3a5fce5a6fce6a8fce8aafceaacfcecaefceeb0fcf0b1fcf1b3fcf3b5fcf5b7fbf7b9fbf9bbfbfabdfbfcbf" }, viridis: { label: "viridis", kind: "sequential", rgb: "44015444025544035745055845065a45085b46095c460b5e460c5f460e61470f6247116347126547146647156747166947186a48196b481a6c481c6e481d6f481e70482071482172482273482374472575472676472777472878472a79472b7a472c7b462d7c462f7c46307d46317e45327f45347f453580453681443781443982433a83433b83433c84423d84423e854240854141864142864043874044873f45873f47883e48883e49893d4a893d4b893d4c893c4d8a3c4e8a3b508a3b518a3a528b3a538b39548b39558b38568b38578c37588c37598c365a8c365b8c355c8c355d8c345e8d345f8d33608d33618d32628d32638d31648d31658d31668d30678d30688d2f698d2f6a8d2e6b8e2e6c8e2e6d8e2d6e8e2d6f8e2c708e2c718e2c728e2b738e2b748e2a758e2a768e2a778e29788e29798e287a8e287a8e287b8e277c8e277d8e277e8e267f8e26808e26818e25828e25838d24848d24858d24868d23878d23888d23898d22898d228a8d228b8d218c8d218d8c218e8c208f8c20908c20918c1f928c1f938b1f948b1f958b1f968b1e978a1e988a1e998a1e998a1e9a891e9b891e9c891e9d881e9e881e9f881ea0871fa1871fa2861fa38620a48520a58521a68521a78422a78423a88323a98224aa8225ab8126ac8127ad8028ae7f29af7f2ab07e2bb17d2cb17d2eb27c2fb37b30b47a32b57a33b67935b77836b87738b97639b9763bba753dbb743ebc7340bd7242be7144be7045bf6f47c06e49c16d4bc26c4dc26b4fc36951c46853c56755c66657c66559c7645bc8625ec96160c96062ca5f64cb5d67cc5c69cc5b6bcd596dce5870ce5672cf5574d05477d05279d1517cd24f7ed24e81d34c83d34b86d44988d5478bd5468dd64490d64392d74195d73f97d83e9ad83c9dd93a9fd938a2da37a5da35a7db33aadb32addc30afdc2eb2dd2cb5dd2bb7dd29bade27bdde26bfdf24c2df22c5df21c7e01fcae01ecde01dcfe11cd2e11bd4e11ad7e219dae218dce218dfe318e1e318e4e318e7e419e9e419ece41aeee51bf1e51cf3e51ef6e61ff8e621fae622fde724" }, cividis: { label: "cividis", kind: "sequential", rgb: "00224d00234f00235000245200255400265500265700275900285b00285c00295e002a60002a62002b64002c66002c67002d69002e6b002f6d002f6f0030700030700031700031700432700833700b33700e347011356f14366f16366f18376f1a386f1c386e1d396e1f3a6e213b6e223b6e243c6e253d6d273d6d283e6d2a3f6d2b3f6d2c406d2e416c2f426c30426c31436c32446c34446c35456c36466c37466c38476c39486c3a486b3b496b3d4a6b3e4b6b3f4b6b404c6b414d6b424d6b434e6b444f6b454f6b46506b47516b48516b49526b4a536b4b546c4c546c4d556c4e566c4e566c4f576c50586c51586c52596c535a6c545a6c555b6d565c6d575d6d585d6d595e6d595f6d5a5f6d5b606e5c616e5d616e5e626e5f636e60646e61646f61656f62666f63666f64676f656870666970676970686a70686b71696b716a6c716b6d716c6d726d6e726e6f726e70736f70737071737172737273747373747474757475757575757676767777767878767978777979777a7a777b7b777c7b787d7c787e7d787f7d78807e78817f788280788380788481788582788583788683788784788885788986788a86788b87788c88788d89788e89788f8a77908b77918c77928c77938d77948e77958f77968f779790769891769992769a93769b93769c94769d95759e96759f9675a09775a19874a29974a39a74a49a74a59b73a69c73a79d73a89e73a99e72aa9f72aba072aca171ada271aea271afa370b0a470b1a570b2a66fb3a66fb4a76fb5a86eb6a96eb7aa6db8ab6db9ab6dbaac6cbbad6cbcae6bbdaf6bbeb06abfb06ac1b169c2b269c3b368c4b468c5b567c6b567c7b666c8b765c9b865cab964cbba64ccbb63cdbc62cebc62cfbd61d0be60d2bf60d3c05fd4c15ed5c25ed6c35dd7c35cd8c45bd9c55adac65adbc759dcc858dec957dfca56e0cb55e1cc54e2cc53e3cd52e4ce51e5cf50e6d04fe8d14ee9d24dead34cebd44becd54aedd648eed747efd846f1d944f2da43f3da42f4db40f5dc3ff6dd3df8de3bf9df3afae038fbe136fde234fde333fde534fde636fde737" }, coolwarm: { label: "coolwarm (for and against)", kind: "diverging", rgb: "3a4cc03b4dc13c4fc33e51c43f53c64054c74156c94258ca435acc455bcd465dcf475fd04860d14962d34b64d44c66d64d67d74e69d8506bda516cdb526edc5370dd5571de5673e05775e15876e25a78e35b79e45c7be55d7de65f7ee76080e86182ea6383ea6485eb6586ec6788ed6889ee698bef6b8df06c8ef16d90f16f91f27093f37194f47395f47497f57598f6779af6789bf77a9df87b9ef87ca0f97ea1f97fa2fa80a4fa82a5fb83a6fb85a8fb86a9fc87aafc89acfc8aadfd8baefd8daffd8eb1fd90b2fe91b3fe92b4fe94b5fe95b7fe97b8fe98b9fe99bafe9bbbfe9cbcfe9dbdfe9fbefea0bffea2c0fea3c1fea4c2fea6c3fda7c4fda8c5fdaac6fdabc7fcacc8fcaec9fcafcafbb0cbfbb2cbfbb3ccfab4cdfab6cef9b7cff9b8cff8b9d0f8bbd1f7bcd1f6bdd2f6bed3f5c0d3f5c1d4f4c2d4f3c3d5f2c5d5f2c6d6f1c7d6f0c8d7efc9d7eecad8eeccd8edcdd9ecced9ebcfd9ead0dae9d1dae8d2dae7d3dbe6d5dbe5d6dbe4d7dbe2d8dbe1d9dce0dadcdfdbdcdedcdcdddddcdbdedbdadfdbd9e0dad7e1dad6e2d9d4e3d9d3e4d8d1e5d8d0e6d7cfe7d6cde7d6cce8d5cae9d4c9ead3c7ebd3c6ecd2c4ecd1c3edd0c1edcfc0eecfbeefcebcefcdbbf0ccb9f1cbb8f1cab6f2c9b5f2c8b3f2c7b2f3c6b0f3c5aff4c4adf4c3abf4c2aaf5c1a8f5c0a7f5bfa5f6bda4f6bca2f6bba0f6ba9ff6b99df6b79cf6b69af7b598f7b397f7b295f7b194f7b092f7ae91f7ad8ff6ab8df6aa8cf6a98af6a789f6a687f6a486f6a384f5a182f5a081f59e7ff49d7ef49b7cf49a7bf39879f39678f39576f29375f29173f19072f18e70f08d6ff08b6def896cee876aee8669ed8467ec8266ec8064eb7f63ea7d61ea7b60e9795ee8775de7755ce6745ae67259e57057e46e56e36c54e26a53e16852e06650df644fde624edd604cdc5e4bdb5c4ada5a48d95847d85646d75444d65243d44f42d34d40d24b3fd1493ecf463dce443ccd423acc3f39ca3d38c93b37c83835c63534c53233c43032c22d31c12a30bf282ebe232dbc1f2cbb1a2bb9162ab81129b60d28b50827b30326" }, jet: { label: "jet (misleading)", kind: "sequential", rgb: "00007f00008400008800008d00009100009600009a00009f0000a30000a80000ac0000b10000b60000ba0000bf0000c30000c80000cc0000d10000d50000da0000de0000e30000e80000ec0000f10000f50000fa0000fe0000ff0000ff0000ff0000ff0004ff0008ff000cff0010ff0014ff0018ff001cff0020ff0024ff0028ff002cff0030ff0034ff0038ff003cff0040ff0044ff0048ff004cff0050ff0054ff0058ff005cff0060ff0064ff0068ff006cff0070ff0074ff0078ff007cff0080ff0084ff0088ff008cff0090ff0094ff0098ff009cff00a0ff00a4ff00a8ff00acff00b0ff00b4ff00b8ff00bcff00c0ff00c4ff00c8ff00ccff00d0ff00d4ff00d8ff00dcfe00e0fa00e4f702e8f405ecf108f0ed0cf4ea0ff8e712fce415ffe118ffdd1cffda1fffd722ffd425ffd029ffcd2cffca2fffc732ffc336ffc039ffbd3cffba3fffb742ffb346ffb049ffad4cffaa4fffa653ffa356ffa059ff9d5cff9a5fff9663ff9366ff9069ff8d6cff8970ff8673ff8376ff8079ff7d7cff7980ff7683ff7386ff7089ff6c8dff6990ff6693ff6396ff5f9aff5c9dff59a0ff56a3ff53a6ff4faaff4cadff49b0ff46b3ff42b7ff3fbaff3cbdff39c0ff36c3ff32c7ff2fcaff2ccdff29d0ff25d4ff22d7ff1fdaff1cddff18e0ff15e4ff12e7ff0feaff0cedff08f1fc05f4f802f7f400faf000feed00ffe900ffe500ffe200ffde00ffda00ffd700ffd300ffcf00ffcb00ffc800ffc400ffc000ffbd00ffb900ffb500ffb100ffae00ffaa00ffa600ffa300ff9f00ff9b00ff9800ff9400ff9000ff8c00ff8900ff8500ff8100ff7e00ff7a00ff7600ff7300ff6f00ff6b00ff6700ff6400ff6000ff5c00ff5900ff5500ff5100ff4d00ff4a00ff4600ff4200ff3f00ff3b00ff3700ff3400ff3000ff2c00ff2800ff2500ff2100ff1d00ff1a00ff1600fe1200fa0f00f50b00f10700ec0300e80000e30000de0000da0000d50000d10000cc0000c80000c30000bf0000ba0000b60000b10000ac0000a80000a300009f00009a00009600009100008d00008800008400007f0000" } }, K = {
  maps: ie
}, se = "inferno", N = (t) => K.maps[t].kind === "diverging";
function q(t) {
  const e = K.maps[t].rgb;
  return Uint8Array.from(
    { length: e.length / 2 },
    (a, n) => Number.parseInt(e.slice(2 * n, 2 * n + 2), 16)
  );
}
function oe(t, e, a) {
  return Math.min(1, Math.max(N(a) ? -1 : 0, t / e));
}
function ce(t, e) {
  return Math.floor(255 * (N(e) ? (t + 1) / 2 : t) + 0.5);
}
function fe(t, e, a, n, i) {
  const s = oe(e, a, i), o = n * Math.abs(s), c = 3 * ce(s, i), r = q(i).subarray(c, c + 3), l = t.map((b, g) => Math.floor(b * (1 - o) + (r[g] ?? 0) * o + 0.5));
  return { alpha: o, rgb: l };
}
class G extends Error {
}
class U extends Error {
}
class re extends Error {
}
const H = "camlucida-token";
function de(t, e) {
  const a = new URL(t), n = e?.station ?? a.searchParams.get("station") ?? a.origin;
  return new URL(n, a).href.replace(/\/+$/, "");
}
class le {
  constructor(e, a, n = location.origin) {
    this.url = e, this.origin = n, this.#e = a?.token ?? (this.foreign ? sessionStorage.getItem(H) : null);
  }
  #e;
  /** Whether the station has another origin than the page: no cookie opens it then. */
  get foreign() {
    return new URL(this.url).origin !== this.origin;
  }
  /** Takes a token for as long as the tab is open. */
  useToken(e) {
    this.#e = e.trim(), sessionStorage.setItem(H, this.#e);
  }
  find(e, a, n) {
    return this.#t("find", {
      study_instance_uid: e,
      series_instance_uid: a,
      sop_instance_uids: [...new Set(n)]
    });
  }
  explanation(e) {
    return this.#t(`explanations/${encodeURIComponent(e)}`);
  }
  async values(e) {
    const a = await this.#a(`explanations/${encodeURIComponent(e)}/values`);
    return new Float32Array(await a.arrayBuffer().catch(A));
  }
  flag(e, a) {
    return this.#t(`explanations/${encodeURIComponent(e)}/flags`, a);
  }
  async #t(e, a) {
    return await (await this.#a(e, a)).json().catch(A);
  }
  async #a(e, a) {
    const n = {};
    this.#e && (n.Authorization = `Bearer ${this.#e}`), a !== void 0 && (n["Content-Type"] = "application/json");
    const i = await fetch(`${this.url}/api/${e}`, {
      method: a === void 0 ? "GET" : "POST",
      headers: n,
      credentials: this.foreign ? "omit" : "same-origin",
      ...a === void 0 ? {} : { body: JSON.stringify(a) }
    }).catch(A);
    if (i.status === 401) throw new G();
    if (!i.ok) throw new re(await ue(i));
    return i;
  }
}
function A() {
  throw new U();
}
async function ue(t) {
  const e = await t.json().catch(() => null), a = typeof e == "object" && e !== null && "detail" in e ? e.detail : null;
  return typeof a == "string" ? a : `${t.status} ${t.statusText}`;
}
const be = 5e3, O = se;
class he extends EventTarget {
  constructor(e) {
    super(), this.station = e;
  }
  view = { map: !1, finding: null, opacity: 0.6, cells: !1, by: null };
  #e = /* @__PURE__ */ new Map();
  #t = /* @__PURE__ */ new Map();
  #a = /* @__PURE__ */ new WeakMap();
  #n;
  /** Looks at the evidence differently. */
  change(e) {
    this.view = { ...this.view, ...e }, this.#o();
  }
  toggle() {
    this.change({ map: !this.view.map });
  }
  /** Asks again for everything that is not there. */
  retry() {
    this.#e.clear();
    for (const [e, { shown: a }] of this.#t) a || this.#t.delete(e);
    this.#o();
  }
  /** What is known of an instance; what is not is asked for, and told when it comes. */
  of(e, a) {
    const n = this.#i(e, a);
    if (n.error) return { state: "failed", error: n.error };
    if (!n.found) return { state: "loading" };
    const i = pe(n.found, e);
    if (!i) return me(n.found, e);
    const s = this.chosen(i);
    if (!s) return { state: "no explanation" };
    if (s.state !== "explained") return { state: s.state, reason: s.reason };
    const { shown: o, error: c } = this.#f(s);
    return c ? { state: "failed", error: c } : o ? { state: "explained", image: i, slice: ge(i, e), shown: o } : { state: "loading" };
  }
  /** The explanation to show of an image: the chosen model and method, else the first that is there. */
  chosen(e) {
    const a = e.explanations;
    return a.find((i) => S(i) === this.view.by) ?? a.find((i) => i.state === "explained") ?? a[0];
  }
  /** The chosen finding's values on the native grid and their scale; null where there is no such map. */
  map({ record: e, values: a }) {
    const { findings: n, geometry: i } = e.saliency_map, s = n.indexOf(this.view.finding ?? "");
    if (s < 0) return null;
    const o = i.native_shape.reduce((l, b) => l * b, 1), c = this.#a.get(a) ?? /* @__PURE__ */ new Map();
    this.#a.set(a, c);
    const r = c.get(s) ?? a.subarray(s * o, (s + 1) * o);
    return c.set(s, r), { values: r, scale: e.scales[s] ?? 1, index: s };
  }
  #i(e, a) {
    const n = this.#e.get(e.series);
    if (n?.instances.has(e.instance)) return n;
    const i = /* @__PURE__ */ new Set([...a(), e.instance]), s = {
      study: e.study,
      series: e.series,
      instances: i,
      found: null,
      error: null
    };
    return this.#e.set(e.series, s), this.#s(s), s;
  }
  async #s(e) {
    try {
      e.found = await this.station.find(e.study, e.series, [...e.instances]), e.error = null;
    } catch (a) {
      e.error = a;
    }
    F(e) && this.#c(), this.#o();
  }
  /** Asks again, in a while, for all that has not come: also after a station was away. */
  #c() {
    this.#n === void 0 && (this.#n = setTimeout(() => {
      this.#n = void 0;
      for (const e of this.#e.values()) F(e) && this.#s(e);
    }, be));
  }
  #f(e) {
    const a = this.#t.get(e.key);
    if (a) return a;
    const n = { shown: null, error: null };
    return this.#t.set(e.key, n), this.#r(e, n), n;
  }
  async #r(e, a) {
    try {
      const [n, i] = await Promise.all([
        this.station.explanation(e.key),
        this.station.values(e.key)
      ]), { findings: s, geometry: o } = n.saliency_map, c = o.native_shape.reduce((r, l) => r * l, s.length);
      if (i.length !== c)
        throw new Error(`The station sent ${i.length} evidence values where the map has ${c}.`);
      a.shown = { row: e, record: n, values: i };
    } catch (n) {
      a.error = n;
    }
    this.#o();
  }
  #o() {
    this.dispatchEvent(new Event("change"));
  }
}
const S = (t) => `${t.model}@${t.model_version} ${t.method}`;
function pe(t, { instance: e, frame: a }) {
  const n = t.images.filter((i) => i.instances.some((s) => s.sop_instance_uid === e));
  return n.find((i) => i.frame_number === a) ?? n.find((i) => i.frame_number === null);
}
const ge = (t, { instance: e }) => t.instances.find((a) => a.sop_instance_uid === e)?.slice ?? null;
function me(t, { instance: e }) {
  const a = t.others.find((n) => n.sop_instance_uid === e);
  return a ? { state: a.state, reason: a.reason } : { state: "unknown" };
}
function F({ found: t, error: e }) {
  return e ? e instanceof U : [...t?.images.flatMap(({ explanations: n }) => n) ?? [], ...t?.others ?? []].some(({ state: n }) => n === "waiting");
}
const W = "@ohif/extension-cornerstone.utilityModule.common", Y = "CORNERSTONE_IMAGE_RENDERED";
class ve {
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
    const { viewportGridService: a, displaySetService: n } = this.services;
    return (a.getDisplaySetsUIDsForViewport?.(e) ?? []).some((s) => n.getDisplaySetByUID(s)?.Modality === "SR");
  }
  /** What a viewport shows now; of a reformatted volume its first instance. */
  shown(e) {
    const a = e.getCurrentImageId?.() ?? e.getImageIds?.()[0];
    if (!a) return null;
    const n = this.#t.get("instance", a), { StudyInstanceUID: i, SeriesInstanceUID: s, SOPInstanceUID: o } = n ?? {};
    if (!_(i) || !_(s) || !_(o)) return null;
    const c = Number(/(?:\/frames\/|[?&]frame=)(\d+)/.exec(a)?.[1] ?? 1);
    return { study: i, series: s, instance: o, frame: c };
  }
  /** The SOP Instance UIDs of all that a viewport can show, in its order. */
  instances(e) {
    const a = this.#t, n = (i) => a.get("instance", i)?.SOPInstanceUID;
    return (e.getImageIds?.() ?? []).map(n).filter(_);
  }
  get #t() {
    if (!this.#e) {
      const a = this.parts.extensionManager.getModuleEntry(W)?.exports?.getCornerstoneLibraries;
      if (!a) throw new Error(`This OHIF has no ${W}; camlucida is made for OHIF 3.13.`);
      this.#e = a().cornerstone;
    }
    return this.#e.metaData;
  }
}
const _ = (t) => typeof t == "string" && t !== "", we = (t) => ({
  $$typeof: Symbol.for("react.element"),
  type: t,
  key: null,
  ref: null,
  props: {},
  _owner: null
});
function f(t, e = {}, ...a) {
  const n = document.createElement(t);
  e.class && (n.className = e.class);
  for (const [i, s] of Object.entries(e.attributes ?? {}))
    s !== null && n.setAttribute(i, String(s));
  for (const [i, s] of Object.entries(e.on ?? {})) n.addEventListener(i, s);
  return v(n, ...a), n;
}
function v(t, ...e) {
  t.replaceChildren(
    ...e.filter((a) => a != null && a !== !1)
  );
}
function J(t, e) {
  t.textContent !== e && (t.textContent = e);
}
const $ = "−";
function h(t, e = 3) {
  if (!Number.isFinite(t)) return "–";
  if (t !== 0 && Math.abs(t) < 1e-4) return t.toExponential(0).replaceAll("-", $);
  const a = Math.max(0, e - 1 - Math.floor(Math.log10(Math.abs(t) || 1))), n = t.toFixed(Math.min(a, 6));
  return (Number(n) === 0 ? "0" : ye(n)).replace("-", $);
}
const ye = (t) => t.includes(".") ? t.replace(/\.?0+$/, "") : t;
function w(t) {
  const e = Math.abs(t).toFixed(2);
  return Number(e) === 0 ? t === 0 ? "0" : t > 0 ? "< +0.01" : `> ${$}0.01` : (t > 0 ? "+" : $) + e;
}
function xe(t) {
  return t < 5e-3 ? "< 1 %" : t > 0.995 ? "> 99 %" : x(t);
}
const x = (t) => `${Math.round(t * 100)} %`;
function Te(t) {
  return t.replace("T", " ").replace(/^(.{16}).*$/, "$1 UTC");
}
const z = (t) => t.slice(0, 12);
function Q(t, e) {
  const a = e.length;
  return t.slice(0, a).map((n) => {
    let i = n[a] ?? 0;
    for (let s = 0; s < a; s++) i += (n[s] ?? 0) * (e[s] ?? 0);
    return i;
  });
}
function Z(t) {
  const e = t.length, a = t.map((n, i) => [...n, ...n.map((s, o) => i === o ? 1 : 0)]);
  for (let n = 0; n < e; n++) {
    const i = Ee(a, n), s = a[i], o = s[n];
    if (o === 0) throw new Error("The geometry of this map cannot be inverted.");
    a[i] = a[n], a[n] = s.map((c) => c / o), ke(a, n);
  }
  return a.map((n) => n.slice(e));
}
function Ee(t, e) {
  let a = e;
  for (let n = e + 1; n < t.length; n++)
    Math.abs(t[n]?.[e] ?? 0) > Math.abs(t[a]?.[e] ?? 0) && (a = n);
  return a;
}
function ke(t, e) {
  const a = t[e];
  for (let n = 0; n < t.length; n++) {
    const i = t[n], s = i[e];
    n !== e && s !== 0 && (t[n] = i.map((o, c) => o - s * a[c]));
  }
}
const _e = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(corner * 4.0 - 1.0, 0.0, 1.0);
}`;
class ee extends Error {
}
function Se(t, e) {
  const a = t.getContext("webgl2", { alpha: e, antialias: !1, depth: !1, premultipliedAlpha: !0 });
  if (!a) throw new ee();
  return a.pixelStorei(a.UNPACK_ALIGNMENT, 1), a;
}
class $e {
  constructor(e, a) {
    this.gl = e, this.#e = e.createProgram();
    for (const [n, i] of [
      [e.VERTEX_SHADER, _e],
      [e.FRAGMENT_SHADER, a]
    ])
      e.attachShader(this.#e, Me(e, n, i));
    if (e.linkProgram(this.#e), !e.getProgramParameter(this.#e, e.LINK_STATUS) && !e.isContextLost())
      throw new Error(e.getProgramInfoLog(this.#e) ?? "The shader does not link.");
  }
  #e;
  #t = /* @__PURE__ */ new Map();
  /** Draws over the whole canvas, or the whole framebuffer of the same size. */
  draw(e, a) {
    const { gl: n } = this;
    n.useProgram(this.#e);
    for (const [i, s] of Object.entries(e)) this.#a(i, s);
    for (const [i, s] of Object.entries(a)) n.uniform1i(this.#n(i), s);
    n.viewport(0, 0, n.drawingBufferWidth, n.drawingBufferHeight), n.drawArrays(n.TRIANGLES, 0, 3);
  }
  #a(e, a) {
    const { gl: n } = this, i = this.#n(e);
    typeof a == "number" ? n.uniform1f(i, a) : a.length === 2 ? n.uniform2fv(i, a) : a.length === 3 ? n.uniform3fv(i, a) : n.uniformMatrix4fv(i, !1, a);
  }
  #n(e) {
    return this.#t.has(e) || this.#t.set(e, this.gl.getUniformLocation(this.#e, e)), this.#t.get(e) ?? null;
  }
}
function Me(t, e, a) {
  const n = t.createShader(e);
  if (!n) throw new ee();
  if (t.shaderSource(n, a), t.compileShader(n), !t.getShaderParameter(n, t.COMPILE_STATUS) && !t.isContextLost())
    throw new Error(t.getShaderInfoLog(n) ?? "The shader does not compile.");
  return n;
}
function V(t, e, a) {
  const n = t.createTexture();
  t.activeTexture(t.TEXTURE0 + e), t.bindTexture(a, n);
  for (const i of [t.TEXTURE_MIN_FILTER, t.TEXTURE_MAG_FILTER])
    t.texParameteri(a, i, t.NEAREST);
  for (const i of [t.TEXTURE_WRAP_S, t.TEXTURE_WRAP_T, t.TEXTURE_WRAP_R])
    t.texParameteri(a, i, t.CLAMP_TO_EDGE);
  return n;
}
const Ae = [
  [1, 0, 0, 1],
  [0, -1, 1, 0],
  [-1, 0, 0, -1],
  [0, 1, -1, 0]
];
function Ie(t) {
  const { originX: e, originY: a, scaleX: n, scaleY: i, orientation: s } = t, [o, c, r, l] = Ae[s.turns], b = s.mirrored ? -1 : 1, g = [b * o / n, b * r / n], k = [c / i, l / i], T = ([M = 0, ne = 0]) => -(M * e + ne * a) - 0.5;
  return [
    [...k, T(k)],
    [...g, T(g)]
  ];
}
function Re(t, e, a) {
  const n = new Uint8Array(e * a * 4);
  t.readPixels(0, 0, e, a, t.RGBA, t.UNSIGNED_BYTE, n);
  const i = new Uint8Array(n.length), s = e * 4;
  for (let o = 0; o < a; o++)
    i.set(n.subarray((a - 1 - o) * s, (a - o) * s), o * s);
  return i;
}
const Ce = [
  [1, 2],
  [0, 2],
  [0, 1]
];
function Oe(t, { axis: e, at: a }) {
  const [n, i] = Ce[e] ?? [1, 2], [s, o] = Ie(t), c = [0, 1, 2].map(() => [0, 0, a]);
  return c[n] = s, c[i] = o, c;
}
const Pe = `#version 300 es
precision highp float;
precision highp sampler2D;
precision highp sampler3D;
uniform sampler3D values;
uniform sampler2D colours;
uniform float canvasHeight, full, cells, signedColours;
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
void main() {
  heat = vec4(0.0);
  vec3 native = (canvasToNative * vec4(gl_FragCoord.x, canvasHeight - gl_FragCoord.y, 0.0, 1.0)).xyz;
  ivec3 last = textureSize(values, 0).zyx - 1;
  if (any(lessThan(native, vec3(-0.5 - EDGE))) || any(greaterThan(native, vec3(last) + 0.5 + EDGE))) return;
  float evidence = cells > 0.5 ? value(ivec3(floor(native + 0.5)), last) : smoothly(native, last);
  float strength = clamp(evidence / full, -signedColours, 1.0);
  float entry = signedColours > 0.5 ? (strength + 1.0) / 2.0 : strength;
  vec3 colour = texelFetch(colours, ivec2(int(floor(entry * 255.0 + 0.5)), 0), 0).rgb;
  heat = vec4(colour, 1.0) * abs(strength);
}`, j = 0, I = 1;
class Le {
  constructor(e) {
    this.canvas = e, this.#e = Se(e, !0), this.#t = new $e(this.#e, Pe), V(this.#e, I, this.#e.TEXTURE_2D);
  }
  #e;
  #t;
  #a = null;
  #n = null;
  #i = null;
  #s = [];
  /** Takes one finding's map (C order on the native grid) onto the graphics card. */
  load(e, a) {
    if (e === this.#n) return;
    const n = this.#e, [i = 1, s = 1, o = 1] = [1, ...a.native_shape].slice(-3);
    n.deleteTexture(this.#a), this.#a = V(n, j, n.TEXTURE_3D), n.texImage3D(n.TEXTURE_3D, 0, n.R32F, o, s, i, 0, n.RED, n.FLOAT, e), this.#s = Z(a.native_to_pixel), this.#n = e;
  }
  draw(e, a, n) {
    this.drawThrough(Oe(e, a), n);
  }
  /**
   * Draws on a plane that lies in the image at any angle: `matrix` takes (x, y, 1) in device pixels from the
   * canvas's left upper corner to (slice, row, column) on the pixel grid.
   */
  drawThrough(e, a) {
    this.#n && (this.#c(a.colourMap), this.#t.draw(
      {
        canvasHeight: this.canvas.height,
        full: a.scale,
        cells: a.cells ? 1 : 0,
        signedColours: N(a.colourMap) ? 1 : 0,
        canvasToNative: Ne(De(this.#s, e))
      },
      { values: j, colours: I }
    ));
  }
  /** The pixels on the canvas as they are drawn now, premultiplied RGBA, top row first. */
  read(e, a, n) {
    return this.draw(e, a, n), Re(this.#e, e.width, e.height);
  }
  #c(e) {
    if (e === this.#i) return;
    const a = this.#e;
    a.activeTexture(a.TEXTURE0 + I);
    const n = q(e);
    a.texImage2D(a.TEXTURE_2D, 0, a.RGB8, n.length / 3, 1, 0, a.RGB, a.UNSIGNED_BYTE, n), this.#i = e;
  }
}
function De(t, e) {
  const a = 4 - t.length;
  return [0, 1, 2].map((n) => {
    const i = t[n - a];
    return [0, 1, 2].map((s) => {
      if (!i) return 0;
      const o = s === 2 ? i[3 - a] ?? 0 : 0;
      return e.reduce(
        (c, r, l) => c + (i[l - a] ?? 0) * (r[s] ?? 0),
        o
      );
    });
  });
}
function Ne(t) {
  const e = (a) => t.map((n) => n[a] ?? 0);
  return [...e(0), 0, ...e(1), 0, 0, 0, 0, 0, ...e(2), 1];
}
const m = 128, Ge = [24, 26, 29];
function te(t, e, a, n) {
  const i = new Uint8ClampedArray(4 * m);
  for (let s = 0; s < m; s++) {
    const o = e - (e - t) * s / (m - 1), { rgb: c } = fe(Ge, o, e, a, n);
    i.set([...c, 255], 4 * s);
  }
  return i;
}
const Ue = (t, e) => [
  `≥ ${h(e)}`,
  h((t + e) / 2),
  t < 0 ? `≤ ${h(t)}` : h(t)
], u = {
  states: {
    waiting: "not explained yet",
    refused: "no explanation",
    explained: "explained"
  },
  study: {
    images: "Images",
    otherStudies: "Same patient",
    prior: "prior",
    later: "later",
    findings: "Findings",
    reported: (t, e) => `${t} of ${e} reported`,
    reportedTitle: "A finding is reported from its operating point on",
    model: "Model",
    method: "Method",
    image: (t) => `Image ${t}`,
    frame: (t) => `frame ${t}`,
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
    stored: (t) => `stored ${t}`,
    modality: (t, e) => `${t} ${e}`,
    evidence: (t, e) => `evidence ${t} ${e}`,
    outsideField: "outside the field the network saw",
    cell: (t) => `cell ${t}`,
    cellPixels: (t) => `${t} px`,
    cellMm: (t) => `${t} mm`,
    noSupport: (t) => `No supporting evidence: no cell argues for ${t}.`,
    faint: (t, e, a) => `Little evidence for ${t}: at most ${e} logits a cell, where full colour is ${a}.`
  },
  legend: {
    title: "logits per cell",
    relativeTitle: "relative evidence",
    logits: "logits",
    relative: "relative",
    fixed: "same scale for all findings and studies",
    own: "scaled to this map’s own maximum",
    label: (t, e, a) => `Colours from ${t} to ${e} ${a} per cell`
  },
  details: {
    title: "Details",
    display: "Display",
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
    focality: "Half of the evidence lies on",
    focalityValue: (t) => `${t} of the area`,
    border: "Evidence at the border",
    corners: "Evidence in the corners",
    outside: "Evidence outside the body",
    causal: "Hottest region removed",
    causalValue: (t, e) => `${t} logits less, z = ${e}`,
    stability: "Rank correlation under small changes",
    stabilityValue: (t) => `${t} at worst`,
    agreement: "Rank correlation with other methods",
    prior: "Since the prior",
    priorValue: (t, e) => `${t} logits${e}`,
    moved: (t) => `, moved by ${t}`,
    verdict: (t, e, a) => `This method: ${t}; proven on ${e} inputs${a > 0 ? `, ${a} of them images` : ""}.`,
    provenance: "Provenance",
    model: "Model",
    digest: "Model digest",
    imageDigest: "Pixel digest",
    software: "Software",
    precision: "Precision",
    created: "Created",
    notes: "Notes on the image",
    cautions: "Cautions"
  }
}, He = {
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
}, Fe = (t) => He[t] ?? t;
function We(t, e, a) {
  const n = e.pixel_shape.length === 2;
  if (t.type === "stack" && (n || a !== null)) {
    const s = t.getImageData?.()?.imageData;
    return s ? (o) => {
      const [c = 0, r = 0] = Array.from(s.worldToIndex(t.canvasToWorld(o)));
      return [a ?? 0, r, c];
    } : null;
  }
  if (n || !e.pixel_to_patient) return null;
  const i = Z(e.pixel_to_patient);
  return (s) => Q(i, t.canvasToWorld(s));
}
function ze(t, e, a, n) {
  const i = t([0, 0]), s = t([e, 0]), o = t([0, a]);
  return i.map((c, r) => [
    ((s[r] ?? 0) - c) / (e * n),
    ((o[r] ?? 0) - c) / (a * n),
    c
  ]);
}
const d = {
  title: "Evidence",
  notice: "Research software, not a medical device. Explains the model, not the disease.",
  map: "Map",
  mapTitle: (t) => `Show or hide the evidence over the images (${t})`,
  cells: "Cells",
  cellsTitle: "Cells as the network computed them, or smooth",
  opacity: "Opacity",
  model: "Explained by",
  version: (t, e, a) => `${t} ${e} · ${a}`,
  none: "Choose a finding to see where the model found evidence for it.",
  peak: "Most evidence",
  peakTitle: "Go to the slice with most evidence",
  cannotBePlaced: "This image has no position in the patient, so its map cannot be drawn on this plane.",
  noWebGL: "This browser cannot draw the map: it needs WebGL 2.",
  noMap: "There is no map of this finding here.",
  caption: (t, e, a) => `${t} · 0 to ≥ ${e} ${a}`,
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
class Ve {
  constructor(e, a) {
    this.ohif = e, this.evidence = a;
  }
  #e = /* @__PURE__ */ new Map();
  #t = null;
  #a = !1;
  start() {
    document.addEventListener(Y, (e) => this.#n(e), !0), this.evidence.addEventListener("change", () => this.drawAll());
  }
  drawAll() {
    for (const [e, a] of this.#e)
      e.isConnected ? this.#s(a) : this.#e.delete(e);
  }
  #n(e) {
    const { viewportId: a } = e.detail ?? {}, n = this.ohif.viewport(a ?? null);
    n?.canvas && this.#s(this.#i(n, n.canvas));
  }
  #i(e, a) {
    const i = this.#e.get(e.element) ?? je(e);
    return i.viewport = e, i.canvas.previousElementSibling !== a && a.after(i.canvas, i.caption), this.#e.set(e.element, i), i;
  }
  #s(e) {
    const { canvas: a, caption: n, viewport: i } = e, s = this.evidence.view.map ? this.ohif.shown(i) : null, o = s && this.evidence.of(s, () => this.ohif.instances(i)), c = o?.state === "explained" ? o : null, r = c && this.#c(e, c.shown, c.slice);
    R(a, r === !0), a.style.opacity = String(this.evidence.view.opacity), R(n, c !== null && this.evidence.view.finding !== null), c && this.#f(e, c.shown, r === !0);
  }
  /** Whether the map lies on the canvas now. */
  #c({ canvas: e, viewport: a }, n, i) {
    const s = this.evidence.map(n), { geometry: o } = n.record.saliency_map, c = s && We(a, o, i), r = this.#o(), { clientWidth: l, clientHeight: b } = a.canvas ?? e;
    if (!s || !c || !r || l === 0 || b === 0) return !1;
    const g = window.devicePixelRatio || 1;
    for (const M of [e, r.canvas])
      Xe(M, Math.round(l * g), Math.round(b * g));
    e.style.width = `${l}px`, e.style.height = `${b}px`, r.load(s.values, o);
    const { cells: k } = this.evidence.view;
    r.drawThrough(ze(c, l, b, e.width / l), {
      cells: k,
      colourMap: O,
      scale: s.scale
    });
    const T = e.getContext("2d");
    return T?.clearRect(0, 0, e.width, e.height), T?.drawImage(r.canvas, 0, 0), !0;
  }
  /** What is over the image, in words: also that there is nothing, and why. */
  #f({ text: e, colours: a }, n, i) {
    const s = this.evidence.map(n), o = s !== null && n.record.saliency_map.supported[s.index] === !0;
    R(a, i && o), i && o && a.getContext("2d")?.putImageData(Ke(te(0, s.scale, this.evidence.view.opacity, O)), 0, 0), J(e, this.#r(n, i, o));
  }
  #r({ record: e }, a, n) {
    const { finding: i } = this.evidence.view, s = e.scales[e.saliency_map.findings.indexOf(i ?? "")];
    if (i === null || s === void 0) return d.noMap;
    if (this.#a) return d.noWebGL;
    if (!a) return d.cannotBePlaced;
    if (!n) return d.noSupport(i);
    const { legend: o } = u, c = e.saliency_map.unit === "relative" ? o.relativeTitle : o.title;
    return d.caption(i, h(s), c);
  }
  #o() {
    if (this.#t || this.#a) return this.#t;
    try {
      const e = document.createElement("canvas");
      e.addEventListener("webglcontextlost", (a) => a.preventDefault()), e.addEventListener("webglcontextrestored", () => {
        this.#t = null, this.drawAll();
      }), this.#t = new Le(e);
    } catch {
      this.#a = !0;
    }
    return this.#t;
  }
}
function je(t) {
  const e = f("canvas", { attributes: { "data-camlucida": "map", "aria-hidden": "true" } }), a = f("canvas", { attributes: { width: m, height: 1, "aria-hidden": "true" } }), n = f("span"), i = f("div", { attributes: { "data-camlucida": "caption" } }, a, n);
  return Object.assign(e.style, { position: "absolute", top: "0", left: "0", pointerEvents: "none" }), Object.assign(a.style, { width: "72px", height: "8px", borderRadius: "2px" }), Object.assign(i.style, Be), { viewport: t, canvas: e, caption: i, colours: a, text: n };
}
const Be = {
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
function R(t, e) {
  t.style.display = e ? t instanceof HTMLCanvasElement ? "block" : "flex" : "none";
}
function Xe(t, e, a) {
  t.width !== e && (t.width = e), t.height !== a && (t.height = a);
}
function Ke(t) {
  const e = new ImageData(m, 1);
  for (let a = 0; a < m; a++)
    e.data.set(t.subarray(4 * a, 4 * a + 4), 4 * (m - 1 - a));
  return e;
}
function qe(t, e) {
  const a = f("span", { class: "probability-bar", attributes: { "aria-hidden": "true" } }), n = f("span", { class: "probability-filled" });
  if (n.style.width = `${100 * t}%`, a.append(n), e !== null) {
    const i = f("span", { class: "probability-tick" });
    i.style.left = `${100 * e}%`, a.append(i);
  }
  return a;
}
const Ye = "input";
function Je(t, e) {
  const a = t.saliency_map, n = t.trust.findings[e];
  return [
    f("h2", {}, a.findings[e] ?? ""),
    f("dl", { class: "numbers" }, ...Qe(t, e).flat()),
    ...a.supported[e] ? [] : [f("p", { class: "told" }, Ze(u.finding.noSupport))],
    ...n ? [f("p", { class: "trust" }, n.statement)] : []
  ];
}
function Qe(t, e) {
  const { finding: a } = u, n = t.saliency_map, i = t.prediction.findings.findIndex(({ name: l }) => l === n.findings[e]), s = t.prediction.findings[i]?.operating_point ?? null, o = n.logits[e] ?? 0, c = [
    y(a.operatingPoint, s === null ? a.noneGiven : x(s)),
    y(a.logit, w(o))
  ];
  if (n.unit === "relative") return [...c, [f("p", { class: "told" }, a.relativeTitle)]];
  const r = n.target_layer === Ye ? a.baselineTitle : a.biasTitle;
  return [
    ...c,
    y(a.evidenceFor, w(n.evidence_for[e] ?? 0)),
    y(a.evidenceAgainst, w(n.evidence_against[e] ?? 0)),
    y(a.bias, w(n.bias[e] ?? 0), r),
    y(a.residual, h(n.residual[e] ?? 0, 2), a.residualTitle)
  ];
}
const Ze = (t) => `${t.charAt(0).toUpperCase()}${t.slice(1)}.`;
function y(t, e, a = null) {
  return [f("dt", { attributes: { title: a } }, t), f("dd", {}, e)];
}
function et(t) {
  const { findings: e, probabilities: a } = t.prediction;
  return e.map(({ name: n, operating_point: i }, s) => ({
    name: n,
    probability: a[s] ?? 0,
    operatingPoint: i,
    map: t.saliency_map.findings.indexOf(n)
  })).sort((n, i) => i.probability - n.probability);
}
const P = (t) => t.operatingPoint === null ? null : t.probability >= t.operatingPoint;
function tt(t, e) {
  const { evidence_for: a, evidence_against: n, supported: i, unit: s } = e.saliency_map;
  return t.map < 0 ? u.finding.noMap : i[t.map] ? s === "relative" ? "" : `${w(a[t.map] ?? 0)}  ${w(n[t.map] ?? 0)}` : u.finding.noSupport;
}
function at(t) {
  return t.operatingPoint === null ? u.finding.noOperatingPoint : P(t) ? "" : u.finding.belowOperatingPoint;
}
function nt({ trust: t }) {
  const { details: e } = u, { head_deviation: a, verdict: n, head_inputs: i = 0, head_images: s = 0 } = t;
  return [
    e.head[t.head],
    ...a === null ? [] : [e.deviation(h(a, 2))],
    ...n ? [e.verdict(n, i, s)] : [],
    ...t.body ? [t.body] : []
  ];
}
function it({ trust: t }, e) {
  const a = e === null ? void 0 : t.findings[e];
  return a ? [...st(a), ...ot(a)] : [];
}
function st({ focality: t, border_share: e, corner_share: a, outside_share: n }) {
  const { details: i } = u, s = [];
  t !== null && s.push([i.focality, i.focalityValue(x(t))]);
  const o = [
    [i.outside, n],
    [i.corners, a],
    [i.border, e]
  ];
  for (const [c, r] of o) typeof r == "number" && s.push([c, x(r)]);
  return s;
}
function ot({ causal: t, stability: e, agreement: a, prior: n }) {
  const { details: i } = u, s = [];
  if (t && s.push([i.causal, i.causalValue(h(t.effect), h(t.z, 2))]), typeof e?.worst == "number" && s.push([i.stability, i.stabilityValue(h(e.worst, 2))]), typeof a?.correlation == "number" && s.push([i.agreement, h(a.correlation, 2)]), n) {
    const { shift: o, shift_unit: c } = n, r = o === null ? "" : c === "mm" ? `${h(o, 2)} mm` : x(o);
    s.push([
      i.prior,
      i.priorValue(w(n.logit_change), r && i.moved(r))
    ]);
  }
  return s;
}
function ct({ provenance: t }) {
  const { details: e } = u, { model_name: a, model_version: n, model_digest: i, pixel_digest: s } = t;
  return [
    [e.model, `${a} ${n}`],
    [e.digest, z(i), i],
    [e.imageDigest, z(s), s],
    [e.software, `camlucida ${t.library_version}, torch ${t.torch_version}`],
    [e.precision, `${t.precision}, ${t.device}`],
    [e.created, Te(t.created)]
  ];
}
const ft = 2e3;
class ae extends HTMLElement {
  #e = null;
  #t = f("textarea", {
    attributes: {
      maxlength: ft,
      rows: 2,
      placeholder: d.flag.text,
      "aria-label": d.flag.text
    }
  });
  /** What would be flagged now; null: nothing. */
  about(e) {
    const a = e?.shown === this.#e?.shown && e?.finding === this.#e?.finding;
    this.#e = e, a || this.#a();
  }
  #a(e = "") {
    const a = f(
      "button",
      { attributes: { type: "button" }, on: { click: () => this.#n() } },
      d.flag.open
    );
    v(
      this,
      this.#e && a,
      e && f("p", { class: "told", attributes: { role: "status" } }, e)
    );
  }
  #n() {
    if (!this.#e) return;
    this.#t.value = "";
    const e = Object.entries(d.flag.reasons).map(
      ([n, i]) => f(
        "button",
        {
          attributes: { type: "button", "data-reason": n },
          on: { click: () => this.#i(n) }
        },
        i
      )
    ), a = { click: () => this.#a() };
    v(
      this,
      f("h2", {}, d.flag.title(this.#e.finding)),
      this.#t,
      f("div", { class: "reasons" }, ...e),
      f("button", { class: "quiet", attributes: { type: "button" }, on: a }, d.flag.cancel)
    ), this.scrollIntoView({ block: "nearest" });
  }
  async #i(e) {
    const a = this.#e, n = this.#t.value.trim();
    if (a) {
      if (e === "other" && !n) {
        this.#t.setCustomValidity(d.flag.needsText), this.#t.reportValidity(), this.#t.setCustomValidity("");
        return;
      }
      for (const i of this.querySelectorAll("button")) i.disabled = !0;
      try {
        const { evidence: i, shown: s, finding: o } = a;
        await i.station.flag(s.row.key, { finding: o, reason: e, text: n, view: rt(a) }), this.#a(d.flag.kept);
      } catch (i) {
        for (const o of this.querySelectorAll("button")) o.disabled = !1;
        this.querySelector(".told")?.remove();
        const s = i instanceof G ? d.states.signedOut : i.message;
        this.append(
          f(
            "p",
            { class: "told", attributes: { role: "alert" } },
            d.flag.notKept(s || d.states.notReached)
          )
        );
      }
    }
  }
}
function rt({ evidence: t, shown: e, viewport: a }) {
  const { map: n, opacity: i, cells: s } = t.view, o = a(), c = o?.getCamera?.();
  return {
    viewer: "OHIF",
    explanation: S(e.row).slice(0, 100),
    map: n,
    opacity: i,
    cells: s,
    kind: o?.type ?? null,
    rotation: o?.getRotation?.() ?? null,
    zoom: o?.getZoom?.() ?? null,
    flipped_horizontally: c?.flipHorizontal ?? null,
    flipped_vertically: c?.flipVertical ?? null
  };
}
customElements.define("camlucida-flag", ae);
const dt = ":host{--line: #23315a;--weak: #9aa7c4;--accent: #7fb4ff;--told: #e3b261;display:flex;flex-direction:column;height:100%;min-height:0;color:#e6eaf2;font:13px/1.45 system-ui,-apple-system,Segoe UI,Liberation Sans,Arial,sans-serif}*{box-sizing:border-box}[hidden]{display:none}.body{display:flex;flex:1 1 0;flex-direction:column;gap:10px;min-height:0;padding:10px 0;overflow:hidden auto}.body>*{flex:none;margin:0 10px}.notice{margin:0;padding:6px 10px;border-top:1px solid var(--line);color:var(--told);font-size:11.5px}h2{margin:0;font-size:13px;font-weight:600}p,ul,dl,dd{margin:0;padding:0}.weak,.weak h2{color:var(--weak)}.numbers{font-variant-numeric:tabular-nums}button,select,input,textarea{border:1px solid var(--line);border-radius:5px;background:#0b1327;color:inherit;font:inherit}button,select{min-height:28px;padding:2px 10px}button{cursor:pointer}button:hover:not(:disabled){border-color:#46598c}button:disabled{opacity:.5;cursor:default}button[aria-pressed=true]{border-color:#3f63a3;background:#14284f;color:#d4e4ff}:focus-visible{outline:2px solid var(--accent);outline-offset:1px}.message{display:grid;justify-items:start;gap:8px;padding-top:12px;color:var(--weak)}.message h2{color:#e6eaf2}.tools{display:grid;grid-template-columns:auto auto minmax(40px,1fr) 40px;align-items:center;gap:8px}.tools output{text-align:right}input[type=range]{width:100%;padding:0;accent-color:var(--accent)}.head{display:flex;align-items:baseline;justify-content:space-between}.list{display:grid;gap:4px;max-height:42vh;overflow:auto}.finding{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:2px 8px;width:100%;padding:5px 8px;text-align:left}.finding-name{overflow:hidden;font-weight:600;text-overflow:ellipsis;white-space:nowrap}.below .finding-name,.below .finding-probability{font-weight:400;color:#b9c3d8}.probability-bar{position:relative;grid-column:1 / -1;height:3px;border-radius:2px;background:#22304f}.probability-filled{position:absolute;inset:0 auto 0 0;border-radius:2px;background:#8fa8d8}.probability-tick{position:absolute;top:-2px;width:2px;height:7px;background:#e6eaf2}.finding-foot{display:flex;grid-column:1 / -1;justify-content:space-between;min-height:1.3em;color:var(--weak);font-size:11.5px}.chosen{display:grid;gap:8px}dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:1px 12px}dt{color:var(--weak)}dd{overflow-wrap:anywhere;text-align:right}.told{color:var(--told)}.trust{color:#c5cede}ul{padding-left:16px}details>*+*{margin-top:6px}summary{color:var(--weak);cursor:pointer}.legend{display:grid;grid-template-columns:12px auto minmax(0,1fr);gap:8px;font-size:11.5px}.legend canvas{width:12px;height:64px;border-radius:2px}.ticks{display:flex;flex-direction:column;justify-content:space-between}camlucida-flag{display:grid;gap:6px}camlucida-flag textarea{width:100%;padding:4px 6px;resize:vertical}.reasons{display:grid;grid-template-columns:1fr 1fr;gap:6px}.quiet{border-color:transparent;background:none;color:var(--weak)}.by{display:grid;gap:4px;font-size:11.5px}.token{display:flex;gap:6px}.token input{min-height:28px;padding:0 6px}";
function lt(t, e) {
  const [, a, n] = e.native_shape;
  if (a === void 0 || n === void 0) return null;
  let i = 0;
  for (let c = 1; c < t.length; c++) (t[c] ?? 0) > (t[i] ?? 0) && (i = c);
  if (!((t[i] ?? 0) > 0)) return null;
  const s = [Math.floor(i / (a * n)), Math.floor(i / n) % a, i % n], o = Math.round(Q(e.native_to_pixel, s)[0] ?? 0);
  return Math.min((e.pixel_shape[0] ?? 1) - 1, Math.max(0, o));
}
const L = "camlucida-panel", D = "m";
let p = null;
function ut(t, e) {
  p = { ohif: t, evidence: e }, customElements.get(L) || customElements.define(L, bt);
}
class bt extends HTMLElement {
  #e = this.attachShadow({ mode: "open" });
  #t = f("div", { class: "body" });
  #a = f("button", {
    attributes: { type: "button", title: d.mapTitle(D), "aria-keyshortcuts": D },
    on: { click: () => this.#u?.toggle() }
  });
  #n = f("button", {
    attributes: { type: "button", title: d.cellsTitle },
    on: { click: () => this.#u?.change({ cells: !this.#u.view.cells }) }
  });
  #i = f("input", {
    attributes: { type: "range", min: 0, max: 100, "aria-label": d.opacity },
    on: { input: () => this.#u?.change({ opacity: this.#i.valueAsNumber / 100 }) }
  });
  #s = f("output", { class: "numbers" });
  #c = f("div", { class: "list" });
  #f = f("div", { class: "chosen", attributes: { "aria-live": "polite" } });
  #r = new ae();
  #o = new AbortController();
  #d = [];
  #l = [];
  constructor() {
    super();
    const e = new CSSStyleSheet();
    e.replaceSync(dt), this.#e.adoptedStyleSheets = [e], this.#a.textContent = d.map, this.#n.textContent = d.cells, this.#e.append(this.#t, f("p", { class: "notice" }, d.notice));
  }
  get #u() {
    return p?.evidence ?? null;
  }
  connectedCallback() {
    if (!p) return;
    this.#o = new AbortController();
    const { signal: e } = this.#o;
    p.evidence.addEventListener("change", () => this.#b(), { signal: e });
    const a = p.ohif.services.viewportGridService;
    for (const n of ["ACTIVE_VIEWPORT_ID_CHANGED", "GRID_STATE_CHANGED", "VIEWPORTS_READY"]) {
      const i = a.EVENTS[n];
      if (!i) continue;
      const { unsubscribe: s } = a.subscribe(i, () => this.#b());
      e.addEventListener("abort", () => s());
    }
    document.addEventListener("CORNERSTONE_IMAGE_RENDERED", () => this.#b(), { signal: e, capture: !0 }), this.#d = [], this.#b();
  }
  disconnectedCallback() {
    this.#o.abort();
  }
  #b() {
    if (!p) return;
    const { ohif: e, evidence: a } = p, n = e.active, i = n && e.shown(n);
    if (!n || !i) {
      this.#h(d.states.noImage);
      return;
    }
    const s = a.of(i, () => e.instances(n));
    s.state === "explained" ? this.#v(n, s.image, s.shown, a) : this.#g(s, a);
  }
  // ---- where there is no map ----
  #g(e, a) {
    const { title: n, how: i, action: s } = e.state === "failed" ? pt(e.error, a) : ht(e), o = { again: () => this.#m(a), token: () => vt(a) };
    this.#h(n, i, s ? o[s] : void 0);
  }
  #h(e, a = "", n) {
    if (!this.#p([e, a])) return;
    const i = [f("h2", {}, e), a, n?.()];
    v(this.#t, f("div", { class: "message", attributes: { role: "status" } }, ...i));
  }
  #m(e) {
    return f("button", { attributes: { type: "button" }, on: { click: () => e.retry() } }, d.states.again);
  }
  /** Whether something else is to be built than what stands there. */
  #p(e) {
    return e.length === this.#d.length && e.every((a, n) => a === this.#d[n]) ? !1 : (this.#d = e, this.#l = [], !0);
  }
  // ---- where there is one ----
  #v(e, a, n, i) {
    this.#p([n, a.key]) && this.#w(a, n, i);
    const { map: s, opacity: o, cells: c, finding: r } = i.view;
    this.#a.ariaPressed = String(s), this.#n.ariaPressed = String(c), this.#i.valueAsNumber !== Math.round(100 * o) && (this.#i.valueAsNumber = Math.round(100 * o)), J(this.#s, x(o));
    for (const l of this.#c.querySelectorAll("button"))
      l.ariaPressed = String(l.dataset.finding === r);
    this.#x(e, a, n, i);
  }
  #w(e, a, n) {
    const { record: i } = a, s = et(i), o = s.filter((c) => P(c) === !0).length;
    v(this.#c, ...s.map((c) => this.#y(c, a, n))), v(
      this.#t,
      f("div", { class: "tools" }, this.#a, this.#n, this.#i, this.#s),
      f(
        "div",
        { class: "head" },
        f("h2", {}, u.study.findings),
        f("span", { class: "weak" }, u.study.reported(o, s.length))
      ),
      this.#c,
      this.#f,
      this.#r,
      gt(e, a, n)
    );
  }
  #y(e, { record: a }, n) {
    const i = f(
      "button",
      {
        class: `finding${P(e) === !1 ? " below" : ""}`,
        attributes: { type: "button", title: u.finding.choose(e.name), "data-finding": e.name },
        on: { click: () => n.change({ finding: e.name, map: !0 }) }
      },
      f("span", { class: "finding-name" }, e.name),
      f("span", { class: "finding-probability numbers" }, xe(e.probability)),
      qe(e.probability, e.operatingPoint),
      f(
        "span",
        { class: "finding-foot" },
        f("span", { class: "numbers" }, tt(e, a)),
        f("span", {}, at(e))
      )
    );
    return i.disabled = e.map < 0, i;
  }
  #x(e, a, n, i) {
    const { finding: s, opacity: o } = i.view, c = [n, s, o, e.type];
    if (this.#l.length > 0 && c.every((b, g) => b === this.#l[g])) return;
    this.#l = c;
    const r = i.map(n);
    if (this.#r.about(
      r && s !== null ? { evidence: i, shown: n, finding: s, viewport: () => p?.ohif.active ?? null } : null
    ), !r) {
      v(this.#f, f("p", { class: "weak" }, d.none));
      return;
    }
    const { record: l } = n;
    v(
      this.#f,
      ...Je(l, r.index),
      l.saliency_map.supported[r.index] ? mt(r.scale, o, l.saliency_map.unit) : null,
      this.#T(e, a, n, r.values),
      C(d.trust, [
        X([...nt(l), ...l.trust.cautions]),
        B(it(l, r.index))
      ]),
      C(d.provenance, [B(ct(l))]),
      a.notes.length > 0 ? C(d.notes, [X(a.notes)]) : null
    );
  }
  #T(e, a, { record: n }, i) {
    const s = lt(i, n.saliency_map.geometry), o = a.instances.find((l) => l.slice === s)?.sop_instance_uid, c = o === void 0 ? -1 : p?.ohif.instances(e).indexOf(o) ?? -1;
    if (s === null || c < 0 || e.type !== "stack") return null;
    const r = { click: () => void p?.ohif.active?.setImageIdIndex?.(c) };
    return f(
      "button",
      { attributes: { type: "button", title: d.peakTitle }, on: r },
      `${d.peak}: ${u.viewport.slice(c + 1, a.instances.length)}`
    );
  }
}
function ht(t) {
  const { states: e } = d;
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
function pt(t, { station: e }) {
  const { states: a } = d;
  return t instanceof U ? { title: a.notReached, how: a.notReachedHow(e.url), action: "again" } : t instanceof G ? e.foreign ? { title: a.signedOut, how: a.tokenHow, action: "token" } : { title: a.signedOut, how: a.signedOutHow, action: "again" } : { title: a.failed, how: t instanceof Error ? t.message : "", action: "again" };
}
function gt(t, { row: e }, a) {
  const n = (s) => d.version(s.model, s.model_version, Fe(s.method)) + (s.state === "explained" ? "" : ` · ${u.states[s.state]}`);
  if (t.explanations.length < 2) return f("p", { class: "by weak" }, `${d.model} ${n(e)}`);
  const i = f(
    "select",
    { on: { change: () => a.change({ by: i.value }) } },
    ...t.explanations.map((s) => f("option", { attributes: { value: S(s) } }, n(s)))
  );
  return i.value = S(e), f("label", { class: "by weak" }, d.model, i);
}
function mt(t, e, a) {
  const n = f("canvas", { attributes: { width: 1, height: m } });
  n.getContext("2d")?.putImageData(new ImageData(te(0, t, e, O), 1, m), 0, 0);
  const i = a === "relative", { legend: s } = u;
  return n.setAttribute("role", "img"), n.setAttribute("aria-label", s.label("0", h(t), i ? s.relative : s.logits)), f(
    "div",
    { class: "legend" },
    n,
    f("div", { class: "ticks numbers" }, ...Ue(0, t).map((o) => f("span", {}, o))),
    f(
      "div",
      { class: "weak" },
      f("div", {}, i ? s.relativeTitle : s.title),
      f("div", {}, i ? s.own : s.fixed)
    )
  );
}
function vt(t) {
  const e = f("input", {
    attributes: { type: "password", autocomplete: "off", "aria-label": d.states.token }
  }), a = (i) => {
    i.preventDefault(), t.station.useToken(e.value), t.retry();
  }, n = f("button", { attributes: { type: "submit" } }, d.states.useToken);
  return f("form", { class: "token", on: { submit: a } }, e, n);
}
function C(t, e) {
  return f("details", {}, f("summary", {}, t), ...e);
}
const B = (t) => f(
  "dl",
  {},
  ...t.flatMap(([e, a, n]) => [
    f("dt", {}, e),
    f("dd", { attributes: { title: n ?? null } }, a)
  ])
), X = (t) => f("ul", {}, ...t.map((e) => f("li", {}, e))), wt = 250, yt = 40;
class xt {
  constructor(e) {
    this.ohif = e;
  }
  /** How often each image was drawn again already; an image of another address starts anew. */
  #e = /* @__PURE__ */ new WeakMap();
  start() {
    document.addEventListener(Y, (e) => this.#t(e), !0);
  }
  #t(e) {
    const { viewportId: a } = e.detail ?? {}, n = this.ohif.viewport(a ?? null);
    if (!n || Tt(n) || !this.ohif.showsReport(n.id)) return;
    const i = n.getCurrentImageId?.() ?? "", s = this.#e.get(n.element), o = s?.image === i ? s.count + 1 : 1;
    o > yt || (this.#e.set(n.element, { image: i, count: o }), setTimeout(() => n.element.isConnected && n.render?.(), wt));
  }
}
const Tt = (t) => t.element.querySelector("svg.svg-layer :is(polyline, path, line)") !== null;
let E = null;
function Et(t) {
  const e = window.config?.camlucida, a = new ve(t);
  E = new he(new le(de(import.meta.url, e), e)), ut(a, E), new Ve(a, E).start(), new xt(a).start(), document.addEventListener("keydown", kt);
}
function kt(t) {
  if (t.key !== D || t.ctrlKey || t.metaKey || t.altKey || t.repeat) return;
  const [e] = t.composedPath();
  e instanceof HTMLElement && e.matches("input:not([type=range]), textarea, select, [contenteditable]") || E?.toggle();
}
const _t = {
  id: "camlucida",
  preRegistration: Et,
  getPanelModule: () => [
    {
      name: "evidence",
      iconName: "EyeVisible",
      iconLabel: d.title,
      label: d.title,
      component: () => we(L)
    }
  ],
  /** For toolbars and hotkeys of a hospital's own. */
  getCommandsModule: () => ({
    definitions: { toggleEvidence: { commandFn: () => E?.toggle() } },
    defaultContext: "DEFAULT"
  })
};
export {
  _t as default
};
