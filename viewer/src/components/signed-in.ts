/** Who is signed in, and the way out. */

import { element, write } from "../element";
import { me, signOut } from "../overviews";
import { overviewTexts } from "../texts-overviews";

/** Empty until the station says who it is; without its answer nothing is missing. */
export function signedIn(): HTMLElement {
  const name = element("span", { class: "weak" });
  const out = element(
    "button",
    { class: "plain", attributes: { type: "button" }, on: { click: () => leave() } },
    overviewTexts.signedIn.out,
  );
  const place = element("span", { class: "signed-in" }, name, out);
  place.hidden = true;
  tell(place, name).catch(() => null);
  return place;
}

async function tell(place: HTMLElement, name: HTMLElement): Promise<void> {
  const visitor = await me();
  write(name, overviewTexts.signedIn.as(visitor.name, visitor.roles));
  place.hidden = false;
}

/** Whatever the station answers, its page says then whether somebody is signed in. */
async function leave(): Promise<void> {
  await signOut().catch(() => null);
  location.assign("/");
}
