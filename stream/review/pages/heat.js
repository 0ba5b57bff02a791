// The heat map of an alert's peak and the place that was unusual, drawn over the picture of it.

/** `heat`: {shape: [rows, columns], values: 0..255 row by row} or null; `region`: fractions of the picture, or null. */
export function drawHeat(canvas, heat, region, shown) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  if (shown && heat) {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(cells(heat), 0, 0, canvas.width, canvas.height);
  }
  if (region) outline(context, region, canvas.width, canvas.height, density);
}

function cells(heat) {
  const [rows, columns] = heat.shape;
  const small = new OffscreenCanvas(columns, rows);
  const context = small.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  heat.values.forEach((value, index) => {
    // Yellow where it begins to be unusual, red where it is; what is usual stays as it is.
    pixels.data.set([255, 215 - Math.round(value * 0.75), 40, Math.round(value * 0.5)], index * 4);
  });
  context.putImageData(pixels, 0, 0);
  return small;
}

function outline(context, [x0, y0, x1, y1], width, height, density) {
  for (const [style, line] of [["rgb(0 0 0 / 60%)", 4], ["#ffe14d", 2]]) {
    context.strokeStyle = style;
    context.lineWidth = line * density;
    context.strokeRect(x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height);
  }
}
