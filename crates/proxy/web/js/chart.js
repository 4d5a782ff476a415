// A chart of rates: a figure with a name that can be read by eye, by keyboard and as a table.

import { html, render, nothing } from '../vendor/lit-html.js';
import * as format from './format.js';
import * as route from './route.js';

const HEIGHT = 240;
const ROWS = 20;
const DASH = [6, 5];

/**
 * `figure`: `name`; `times`, in Unix seconds; `lines`, each with `key`, `word` and `values`; `norm` with
 * `word` and `value`; `from` and `to`; `marks`, each with `from`, `to`, `tone`, `word`, `event`.
 */
class RateChart extends HTMLElement {
  #figure = null;
  #plot = null;
  #shape = '';
  #at = null;
  #page = 0;
  #run = '';
  #sizes = new ResizeObserver(() => this.#fit());
  #scheme = matchMedia('(prefers-color-scheme: dark)');
  #repaint = () => this.#build();

  set run(run) {
    this.#run = run;
  }

  set figure(figure) {
    const before = this.#figure;
    this.#figure = figure;
    if (before && same(before, figure)) return;
    if (this.isConnected) this.#show();
  }

  connectedCallback() {
    this.#scheme.addEventListener('change', this.#repaint);
    addEventListener('orepass-theme', this.#repaint);
    if (this.#figure) this.#show();
    this.#sizes.observe(this);
  }

  disconnectedCallback() {
    this.#scheme.removeEventListener('change', this.#repaint);
    removeEventListener('orepass-theme', this.#repaint);
    this.#sizes.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
    this.#shape = '';
  }

  #lines() {
    const { lines, norm, times } = this.#figure;
    if (!(norm?.value > 0)) return lines;
    return [...lines, { key: 'norm', word: norm.word, values: times.map(() => norm.value) }];
  }

  #show() {
    this.#draw();
    const shape = this.#lines().map(({ key }) => key).join();
    if (this.#plot && shape === this.#shape) this.#fill();
    else this.#build();
    this.#shape = shape;
  }

  #data() {
    return [this.#figure.times, ...this.#lines().map(({ values }) => values)];
  }

  #fill() {
    this.#plot.setData(this.#data(), false);
    this.#plot.batch(() => this.#scale());
  }

  #scale() {
    const { from, to } = this.#figure;
    const highest = Math.max(0, ...this.#data().slice(1).flat().filter(Number.isFinite));
    this.#plot.setScale('x', { min: from, max: to });
    this.#plot.setScale('y', { min: 0, max: highest > 0 ? 1.08 * highest : 1 });
  }

  /** Colours are what the style sheet says of the legend's samples. */
  #ink(key) {
    const sample = this.querySelector(`.ink.${key}`);
    return sample ? getComputedStyle(sample).color : 'gray';
  }

  #build() {
    this.#plot?.destroy();
    this.#plot = null;
    const place = this.querySelector('.plot');
    if (!place || !this.#figure) return;
    const text = getComputedStyle(this).color;
    const faint = this.#ink('grid');
    const font = '12px system-ui, sans-serif';
    const axis = { stroke: text, font, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
    const long = this.#figure.to - this.#figure.from > 2 * 86400;
    const label = (seconds) => {
      const date = new Date(1000 * seconds);
      return long ? format.day(date).slice(5) : format.clock(date, false);
    };
    this.#plot = new globalThis.uPlot({
      width: Math.max(200, place.clientWidth), height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: true }, y: {} },
      axes: [
        { ...axis, values: (_, splits) => splits.map(label) },
        { ...axis, size: 76, values: (_, splits) => splits.map(format.rate) },
      ],
      series: [{}, ...this.#lines().map(({ key }) => ({
        stroke: this.#ink(key), width: key === 'norm' ? 1.5 : 2,
        dash: key === 'norm' ? DASH : key === 'claimed' ? [2, 3] : undefined,
        points: { show: false }, spanGaps: false,
      }))],
      hooks: {
        drawClear: [(plot) => this.#mark(plot)],
        setCursor: [(plot) => this.#told(plot.cursor.idx)],
      },
    }, this.#data(), place);
    this.#plot.batch(() => this.#scale());
  }

  #mark(plot) {
    const { ctx, bbox } = plot;
    const across = (seconds) =>
      Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(seconds, 'x', true)));
    ctx.save();
    for (const { from, to, tone, chosen } of this.#figure.marks) {
      ctx.fillStyle = ctx.strokeStyle = this.#ink(tone);
      const [left, right] = [across(from), across(to)];
      ctx.globalAlpha = chosen ? 0.4 : 0.16;
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
      ctx.globalAlpha = 1;
      ctx.beginPath();
      ctx.moveTo(left - 5, bbox.top);
      ctx.lineTo(left + 5, bbox.top);
      ctx.lineTo(left, bbox.top + 8);
      ctx.fill();
    }
    ctx.restore();
  }

  #fit() {
    const place = this.querySelector('.plot');
    if (this.#plot && place && Math.abs(place.clientWidth - this.#plot.width) > 1) {
      this.#plot.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT });
    }
  }

  #reading(at) {
    const time = new Date(1000 * this.#figure.times[at]);
    const values = this.#lines().map(({ word, values: all }) => `${word} ${format.rate(all[at])}`);
    return `${format.day(time)} ${format.clock(time, false)}: ${values.join(', ')}`;
  }

  /** What stands under the pointer. */
  #told(at) {
    if (at === null || at === undefined || at === this.#at) return;
    this.#at = at;
    this.#draw();
  }

  #key(event) {
    const last = this.#figure.times.length - 1;
    if (last < 0) return;
    const at = this.#at ?? last + 1;
    const next = {
      ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 10, PageDown: at + 10,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.#at = Math.min(last, Math.max(0, next));
    const value = this.#lines()[0].values[this.#at] ?? 0;
    this.#plot?.setCursor({
      left: this.#plot.valToPos(this.#figure.times[this.#at], 'x'), top: this.#plot.valToPos(value, 'y'),
    }, false);
    this.#draw();
  }

  #draw() {
    const { name, times, marks } = this.#figure;
    const lines = this.#lines();
    const last = times.length - 1;
    const at = this.#at === null ? null : Math.min(this.#at, last);
    render(html`
      <figure>
        <div class="plot" tabindex="0" role="application" aria-roledescription="chart"
          aria-label="${name}. The arrow keys read the points." @keydown=${(event) => this.#key(event)}></div>
        <figcaption>
          <span class="legend">${lines.map(({ key, word }) => html`
            <span><span class="ink ${key}" aria-hidden="true">${key === 'norm' || key === 'claimed' ? '┅' : '━'}</span> ${word}</span>`)}
          </span>
          <span class="reading" aria-live="polite">${last < 0 ? 'Nothing is known of this time.' : at === null || at < 0 ? nothing : this.#reading(at)}</span>
        </figcaption>
        <span hidden>${['grid', 'bad', 'warn', 'calm', 'good', 'off'].map((tone) => html`<span class="ink ${tone}"></span>`)}</span>
      </figure>
      ${marks.length ? html`<p class="marks">In this time: ${marks.slice(-8).map(({ sign, from, word, event }) => html`
        <a href=${route.event(event, this.#run)} aria-current=${event === this.#figure.chosen ? 'true' : nothing}>
          <span aria-hidden="true">${sign}</span> ${format.clock(new Date(1000 * from), false)} ${word}</a>`)}</p>` : nothing}
      ${last < 0 ? nothing : html`<details><summary>As a table</summary>${this.#table(lines, last)}</details>`}`, this);
  }

  #table(lines, last) {
    const { name, times } = this.#figure;
    const pages = Math.ceil((last + 1) / ROWS);
    this.#page = Math.min(this.#page, pages - 1);
    const turn = (by) => () => {
      this.#page = Math.max(0, Math.min(pages - 1, this.#page + by));
      this.#draw();
    };
    const newest = last - this.#page * ROWS;
    const rows = Array.from({ length: Math.min(ROWS, newest + 1) }, (_, row) => newest - row);
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="${name}, as a table"><table>
        <thead><tr><th scope="col">Time</th>${lines.map(({ word }) => html`<th scope="col" class="number">${word}</th>`)}</tr></thead>
        <tbody>${rows.map((at) => html`<tr>
          <th scope="row">${format.clock(new Date(1000 * times[at]), false)}</th>
          ${lines.map(({ values }) => html`<td class="number">${format.rate(values[at])}</td>`)}</tr>`)}</tbody>
      </table></div>
      <p class="pager"><button type="button" @click=${turn(-1)} ?disabled=${this.#page === 0}>Newer</button>
        page ${this.#page + 1} of ${pages}
        <button type="button" @click=${turn(1)} ?disabled=${this.#page >= pages - 1}>Older</button></p>`;
  }
}

/** Whether a figure shows what another does, so that nothing has to be drawn. */
function same(one, other) {
  return one.name === other.name && one.from === other.from && one.to === other.to
    && one.points === other.points && one.chosen === other.chosen
    && one.marks.length === other.marks.length && one.norm?.value === other.norm?.value;
}

customElements.define('rate-chart', RateChart);
