// What all drawings share: sharp lines on any screen, the page's colours, elements made in one call.

/** A canvas ready to draw on, in CSS pixels: its context and size. */
export function sheet(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  return { context, width, height };
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Calls `draw` again whenever the colours change. */
export function onColours(draw) {
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
