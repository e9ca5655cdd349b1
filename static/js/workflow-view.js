// What part of the map is seen: zoom, pan, and bringing a step into sight.
const MIN = 0.12;
const MAX = 1.6;
const MARGIN = 48;

export class View {
  // `embedded`: in a page that scrolls itself.
  constructor(svg, world, { embedded, zoomed }) {
    this.svg = svg;
    this.world = world;
    this.embedded = embedded;
    this.zoomed = zoomed;
    this.x = this.y = 0;
    this.scale = 1;
    this.box = { x: 0, y: 0, width: 1, height: 1 };
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  apply() {
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.zoomed(this.scale);
  }

  size() {
    const { width, height } = this.svg.getBoundingClientRect();
    return { width, height };
  }

  // From the window to the map.
  inside(clientX, clientY) {
    const { left, top } = this.svg.getBoundingClientRect();
    return { x: (clientX - left - this.x) / this.scale, y: (clientY - top - this.y) / this.scale };
  }

  outside(x, y) {
    const { left, top } = this.svg.getBoundingClientRect();
    return { x: x * this.scale + this.x + left, y: y * this.scale + this.y + top };
  }

  zoom(by, clientX, clientY) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const at = { x: (clientX ?? left + width / 2) - left, y: (clientY ?? top + height / 2) - top };
    const scale = Math.min(MAX, Math.max(MIN, this.scale * by));
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  pan(dx, dy) {
    const { width, height } = this.size();
    const { x, y, width: w, height: h } = this.box;
    const keep = 120; // of the map stays in sight
    this.x = Math.min(width - keep - x * this.scale, Math.max(keep - (x + w) * this.scale, this.x + dx));
    this.y = Math.min(height - keep - y * this.scale, Math.max(keep - (y + h) * this.scale, this.y + dy));
    this.apply();
  }

  // All of it, as large as it goes.
  fit() {
    const { width, height } = this.size();
    const { x, y, width: w, height: h } = this.box;
    this.scale = Math.min(1, Math.max(MIN, Math.min((width - 2 * MARGIN) / w, (height - 2 * MARGIN) / h)));
    this.x = (width - w * this.scale) / 2 - x * this.scale;
    this.y = Math.max(MARGIN, (height - h * this.scale) / 2) - y * this.scale;
    this.apply();
  }

  // At a size that can be read, from the start on.
  begin(start) {
    const { width, height } = this.size();
    const { width: w, height: h } = this.box;
    this.scale = Math.min(1, Math.max(0.85, Math.min((width - MARGIN) / w, (height - MARGIN) / h)));
    const middle = w * this.scale < width - MARGIN ? this.box.x + w / 2 : start.x + start.width / 2;
    this.x = width / 2 - middle * this.scale;
    this.y = MARGIN / 2 - this.box.y * this.scale;
    this.apply();
  }

  // Move no more than needed.
  show(box) {
    const { width, height } = this.size();
    const left = box.x * this.scale + this.x;
    const top = box.y * this.scale + this.y;
    const right = left + box.width * this.scale;
    const bottom = top + box.height * this.scale;
    let [dx, dy] = [0, 0];
    if (right > width - MARGIN) dx = width - MARGIN - right;
    if (left + dx < MARGIN) dx = MARGIN - left;
    if (bottom > height - MARGIN) dy = height - MARGIN - bottom;
    if (top + dy < MARGIN) dy = MARGIN - top;
    if (dx || dy) {
      this.x += dx;
      this.y += dy;
      this.apply();
    }
  }

  // What stood at a place stays at its place, when everything around it is laid out anew.
  hold(before, after) {
    if (!before || !after) return;
    this.x += (before.x - after.x) * this.scale;
    this.y += (before.y - after.y) * this.scale;
  }

  wheel(event) {
    const zooms = event.ctrlKey || event.metaKey;
    if (this.embedded && !zooms) return;
    event.preventDefault();
    if (zooms) return this.zoom(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
    const unit = event.deltaMode ? 32 : 1;
    const [dx, dy] = event.shiftKey && !event.deltaX ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    this.pan(-dx * unit, -dy * unit);
  }
}
