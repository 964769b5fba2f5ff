/** Building the page: an element with its attributes, listeners and children. */

type Child = Node | string | null | undefined | false;

interface Properties {
  class?: string;
  /** Attributes; null leaves the attribute out. */
  attributes?: Record<string, string | number | null>;
  on?: Record<string, (event: Event) => void>;
}

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  if (properties.class) made.className = properties.class;
  for (const [name, value] of Object.entries(properties.attributes ?? {}))
    if (value !== null) made.setAttribute(name, String(value));
  for (const [type, listener] of Object.entries(properties.on ?? {})) made.addEventListener(type, listener);
  fill(made, ...children);
  return made;
}

/** Replaces what is in an element. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren(
    ...children.filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** Writes a text only where it differs, so that screen readers and selections are left in peace. */
export function write(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
