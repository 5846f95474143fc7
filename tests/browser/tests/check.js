// What is wrong with the page, as a list of texts.
const problems = [];
const add = (text, element) => problems.push(text + ": " + (element ? element.outerHTML.slice(0, 120) : ""));

if (!document.title) add("no title");
if (document.documentElement.lang !== "en") add("no language");
if (document.querySelectorAll("h1").length !== 1) add("not one h1");
if (document.querySelectorAll("main").length !== 1) add("not one main");
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) {
  add("wider than the screen by " + (document.documentElement.scrollWidth - width));
}
const ids = new Set();
for (const element of document.querySelectorAll("[id]")) {
  if (ids.has(element.id)) add("an id twice", element);
  ids.add(element.id);
}
for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
  if (!field.labels.length) add("no label", field);
}
for (const element of document.querySelectorAll("a, button, input:not([type=hidden]), select")) {
  const name = element.textContent.trim() || element.getAttribute("aria-label") || (element.labels && element.labels.length);
  if (!name) add("no name", element);
}
for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
  const id = element.getAttribute("aria-labelledby") || element.getAttribute("aria-describedby");
  if (!document.getElementById(id)) add("a reference to nothing", element);
}

// Contrast of WCAG 2.2, 1.4.3: 4.5 to 1.
const channel = (value) => (value <= 0.03928 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4));
const parse = (colour) => {
  const numbers = colour.match(/[\d.]+/g).map(Number);
  return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((value) => channel(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.alpha === 1) return colour.rgb;
  }
  return [255, 255, 255];
};
for (const element of document.querySelectorAll("body *")) {
  const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!hasText || element.closest("svg")) continue;
  const front = luminance(parse(getComputedStyle(element).color).rgb);
  const back = luminance(background(element));
  const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
  if (ratio < 4.5) add("contrast " + ratio.toFixed(2), element);
}
return problems;
