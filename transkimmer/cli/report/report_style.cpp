#include "transkimmer/cli/report/report_style.h"

namespace tk {

const char* const kLogoSvg =
    R"(<svg class="logo" width="22" height="18" viewBox="0 0 22 18" aria-hidden="true">)"
    R"(<rect width="22" height="3" rx="1.5"/><rect y="5" width="17" height="3" rx="1.5"/>)"
    R"(<rect y="10" width="10" height="3" rx="1.5"/><rect y="15" width="4" height="3" rx="1.5"/></svg>)";

// --fed, --updated and --read are one hue from strong to weak: what a token still gets. --c0 to --c5 are the curves'
// colours, told apart in the common kinds of colour blindness.
const char* const kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --ink: #17191f; --soft: #5c626e; --line: #e3e3dd; --track: #eeeeea;
  --tint: 52 81 209; --ink-rgb: 23 25 31;
  --fed: #3451d1; --updated: #8397ea; --read: #cbd4f8;
  --right: #14713f; --wrong: #b3261e;
  --c0: #3451d1; --c1: #c2570c; --c2: #0f766e; --c3: #9d2b8a; --c4: #6b5b00; --c5: #4b5563;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #101217; --card: #181b22; --ink: #e8eaf0; --soft: #a3aab8; --line: #2b303b; --track: #252a34;
    --tint: 126 148 255; --ink-rgb: 232 234 240;
    --fed: #9db0ff; --updated: #5a6fd0; --read: #2f3a72;
    --right: #5fcf94; --wrong: #ff8f86;
    --c0: #93a7ff; --c1: #f2a35c; --c2: #4fc7b2; --c3: #e293d4; --c4: #d9c657; --c5: #b3bac6;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); font-variant-numeric: tabular-nums;
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans",
    sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; margin: 0; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.75rem, 1.2rem + 2.4vw, 2.6rem); letter-spacing: -.022em; }
h2 { font-size: 1.4rem; letter-spacing: -.012em; margin-bottom: 14px; }
h3 { font-size: 1rem; }
h3 small { font-weight: 400; color: var(--soft); margin-left: .3em; }
p { margin: 0 0 .6em; }
ul, ol { list-style: none; margin: 0; padding: 0; }
section { margin-top: 52px; scroll-margin-top: 16px; }
.lead { color: var(--soft); max-width: 46em; margin-bottom: 16px; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px;
  min-width: 0;
}
.columns {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 18px;
  align-items: start;
}
.scroll { overflow-x: auto; }
.visually-hidden {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
.note, .axis, .empty, .warning { font-size: .85rem; color: var(--soft); }
.warning { color: var(--wrong); margin: 8px 0 0; }
a { color: inherit; }
:focus-visible { outline: 2px solid var(--fed); outline-offset: 3px; border-radius: 4px; }

.brand { display: flex; align-items: center; gap: 10px; font-weight: 600; color: var(--soft); margin-bottom: 18px; }
.logo { fill: var(--fed); }
.subtitle {
  display: flex; flex-wrap: wrap; gap: 4px 10px; margin: 10px 0 0; color: var(--soft);
  overflow-wrap: anywhere;
}
.subtitle span:not(:last-child)::after { content: "·"; margin-left: 10px; }
.summary { max-width: 46em; margin-top: 16px; font-size: 1.06rem; overflow-wrap: anywhere; }
.stats {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 180px), 1fr)); gap: 14px;
  margin-top: 26px;
}
.stat { display: flex; flex-direction: column; gap: 2px; }
.stat .name { font-size: .88rem; color: var(--soft); overflow-wrap: anywhere; }
.stat .value {
  font-size: 2.1rem; font-weight: 650; letter-spacing: -.025em; line-height: 1.15;
  overflow-wrap: anywhere;
}
nav {
  display: flex; flex-wrap: wrap; gap: 6px 20px; margin-top: 24px; padding-top: 14px;
  border-top: 1px solid var(--line); font-size: .92rem;
}
nav a { color: var(--soft); text-decoration: none; padding: 4px 0; }
nav a:hover { color: var(--ink); text-decoration: underline; text-underline-offset: 4px; }

table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: left; font-weight: 650; padding-bottom: 8px; }
th, td { text-align: right; padding: 7px 0 7px 16px; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; font-weight: 500; }
thead th { border-top: 0; font-size: .82rem; font-weight: 500; color: var(--soft); }
td small { color: var(--soft); }
td.list, th:last-child:not([scope="row"]) { text-align: left; }
.scores th:last-child, .layers th:last-child, .chart th:last-child { text-align: right !important; }
td.list { white-space: normal; line-height: 1.8; overflow-wrap: anywhere; width: 100%; min-width: 9em; }
td.list bdi { margin-right: .35em; } td.list bdi + small { margin: 0 .35em 0 -.25em; }
.scores { margin-top: 6px; }
.scores th[scope="row"] { white-space: normal; overflow-wrap: anywhere; min-width: 7em; }
.scores td:nth-child(2) { font-weight: 650; }

.bar { display: block; overflow: hidden; }
.track { fill: var(--track); } .read { fill: var(--read); } .updated { fill: var(--updated); }
.fed { fill: var(--fed); }
.bars {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px 36px;
  margin: 14px 0 12px;
}
.bars li { display: grid; grid-template-columns: 1fr auto; gap: 3px 12px; align-items: baseline; }
.bars .value { font-weight: 650; }
.bars .bar, .bars .note { grid-column: 1 / -1; }
.mark { stroke: var(--ink); stroke-width: 2; }
.stack { display: grid; gap: 18px; }
.layers { margin-top: 8px; }
.layers th, .layers td { border-top: 0; padding-top: 3px; padding-bottom: 3px; }
.layers .bar-cell { width: 100%; min-width: 110px; }

.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: .85rem; color: var(--soft); margin-top: 6px; }
.legend li { display: flex; align-items: center; gap: 7px; overflow-wrap: anywhere; }
.legend b { color: var(--ink); font-weight: 600; }
.key { flex: none; }
.chart { margin: 0; }
.chart .plot {
  position: relative; height: 230px; margin: 18px 10px 0 0;
  padding-left: calc(var(--gutter) * .78 + 10px); touch-action: pan-y;
}
.chart svg { overflow: visible; }
.plot > svg { display: block; }
.tick { font-size: 12px; fill: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; shape-rendering: crispEdges; }
.curve {
  fill: none; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round;
  vector-effect: non-scaling-stroke;
}
.curve.faint { stroke-width: 1.2; opacity: .38; }
.curve.dashed { stroke: var(--ink); stroke-width: 1.6; stroke-dasharray: 2 5; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
.dot { fill: var(--card); stroke-width: 2; opacity: 1 !important; vector-effect: none; }
.dot.dashed { stroke-dasharray: none; }
.range { stroke-width: 6; opacity: .28; stroke-linecap: butt; }
.rule { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; shape-rendering: crispEdges; }
.cursor { visibility: hidden; }
.axis { text-align: right; margin: 24px 10px 0 0; }
.tip {
  position: absolute; top: 0; z-index: 2; pointer-events: none; max-width: 240px; padding: 7px 10px;
  font-size: .82rem; line-height: 1.45; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; box-shadow: 0 4px 16px rgb(0 0 0 / .16);
}
.tip div { overflow-wrap: anywhere; } .tip b { font-weight: 650; }
details { margin-top: 8px; font-size: .88rem; }
summary { cursor: pointer; color: var(--soft); width: fit-content; padding: 2px 0; }
details table { font-size: .85rem; }

.words { line-height: 1.5; margin: 0; }
.word {
  display: inline-block; position: relative; max-width: 100%; overflow-wrap: anywhere; margin: 0 1px 7px 0;
  padding: 1px 6px 5px; border-radius: 6px;
  background: rgb(var(--tint) / calc(.02 + .17 * var(--u) * var(--u)));
  color: rgb(var(--ink-rgb) / calc(.55 + .45 * var(--u)));
  transition: opacity .25s, background-color .25s, color .25s;
}
.word::after {
  content: ""; position: absolute; left: 5px; right: 5px; bottom: 2px; height: 3px; border-radius: 2px;
  background: linear-gradient(to right, var(--fed) calc(100% * var(--u)), var(--updated) 0 calc(100% * var(--r)),
    rgb(var(--ink-rgb) / .09) 0);
}
.word:dir(rtl)::after { transform: scaleX(-1); }
.word sub {
  font-size: .62em; font-weight: 400; line-height: 0; vertical-align: -.25em; margin-inline-start: 2px;
  color: var(--soft);
}
.word.special { font-size: .8em; font-weight: 600; letter-spacing: .02em; }
.word.live { background: rgb(var(--tint) / .2); color: var(--ink); }
.word.frozen {
  background: rgb(var(--tint) / .05); color: var(--ink);
  box-shadow: inset 0 0 0 1px rgb(var(--tint) / .35);
}
.word.gone { background: none; opacity: .26; text-decoration: line-through 1px; }
.legend.words { margin-bottom: 14px; gap: 4px 22px; }
.legend .word { flex: none; margin-bottom: 0; font-size: 1rem; }
.stepper {
  position: sticky; top: 10px; z-index: 3; display: flex; align-items: center; gap: 16px;
  padding: 10px 16px; margin-bottom: 16px;
}
.stepper[hidden] { display: none; }
.stepper label { flex: 1; display: flex; }
.stepper input { width: 100%; accent-color: var(--fed); margin: 0; height: 24px; }
.stepper output { min-width: 15.5em; font-size: .92rem; }
.stepper button {
  font: inherit; font-size: .92rem; min-width: 74px; padding: 6px 14px; border-radius: 8px;
  border: 1px solid var(--line);
  background: var(--page); color: var(--ink); cursor: pointer;
}
.stepper button:hover { border-color: var(--soft); }
.examples { display: grid; gap: 12px; }
.example { padding: 16px 18px 12px; }
.labels { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 8px 0 0; font-size: .85rem; color: var(--soft); }
.label { overflow-wrap: anywhere; } .label b { color: var(--ink); font-weight: 600; }
.label.right span { color: var(--right); } .label.wrong span { color: var(--wrong); }
.cost { display: flex; align-items: center; gap: 10px; margin-left: auto; }
.cost .bar { width: 90px; height: 8px; border-radius: 4px; }
.fates caption { padding-bottom: 4px; }
.fates th, .fates td { vertical-align: baseline; }
section > .scroll { margin-top: 18px; }

pre {
  margin: 0 0 14px; padding: 14px 18px; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .88rem;
}
pre span { display: inline-block; max-width: 100%; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 0 36px;
  margin: 0; font-size: .92rem;
}
.facts div {
  display: flex; justify-content: space-between; gap: 18px; padding: 7px 0;
  border-bottom: 1px solid var(--line);
}
.facts dt { color: var(--soft); flex: none; max-width: 50%; overflow-wrap: anywhere; }
.facts dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; }

@media (max-width: 560px) {
  main { padding: 24px 14px 48px; }
  section { margin-top: 40px; }
  .card { padding: 14px; }
  .stats { grid-template-columns: 1fr 1fr; gap: 10px; }
  .stat .value { font-size: 1.65rem; }
  .stepper { flex-wrap: wrap; gap: 6px 14px; padding: 10px 14px; }
  .stepper output { width: 100%; min-width: 0; }
  .cost { margin-left: 0; }
  .chart .plot { height: 200px; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; scroll-behavior: auto !important; } }
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; font-size: 72%; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  body { font-size: 1rem; }
  .columns, .bars { grid-template-columns: 1fr 1fr; }
  .stats { grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); }
  .chart .plot { height: 150px; }
  .chart details { display: none; }
  main { max-width: none; padding: 0; }
  nav, .stepper, .tip { display: none !important; }
  .card, tr, h2 { break-inside: avoid; } h2 { break-after: avoid; }
  section { margin-top: 28px; }
}
)css";

const char* const kReportScript = R"js(
'use strict';
(() => {
  const format = (value, kind) => {
    if (kind === 'percent') return (100 * value).toFixed(1).replace(/\.0$/, '') + '\u202f%';
    const size = Math.abs(value);
    if (size && (size >= 1e7 || size < 1e-3)) {
      return value.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e').replaceAll('-', '−');
    }
    return String(+value.toPrecision(size >= 1e4 ? 7 : 4)).replace('-', '−');
  };
  const nearest = (points, step) => points.reduce((a, b) => Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a);

  for (const plot of document.querySelectorAll('.plot')) {
    const svg = plot.querySelector('svg'), tip = plot.querySelector('.tip'), rule = plot.querySelector('.rule');
    const dots = plot.querySelectorAll('circle.cursor');
    const [x0, x1, y0, y1] = svg.dataset.domain.split(' ').map(Number);
    const share = (value, low, high) => high > low ? (value - low) / (high - low) : .5;
    const curves = [...plot.querySelectorAll('path')].map((path, i) => ({
      name: path.dataset.name, dot: dots[i],
      points: path.dataset.points.split(' ').filter(Boolean).map(pair => pair.split(',').map(Number))
    })).filter(curve => curve.points.length);
    const longest = curves.reduce((a, b) => b.points.length > a.points.length ? b : a);
    let shown = null;

    const hide = () => {
      shown = null;
      tip.hidden = true;
      for (const mark of [rule, ...dots]) mark.style.visibility = '';
    };
    const show = target => {
      const step = shown = nearest(longest.points, target)[0];
      const at = 100 * share(step, x0, x1);
      rule.setAttribute('x1', at + '%');
      rule.setAttribute('x2', at + '%');
      rule.style.visibility = 'visible';
      tip.replaceChildren();
      const line = (text, value) => {
        const row = tip.appendChild(document.createElement('div'));
        row.append(text + ' ');
        row.appendChild(document.createElement('b')).textContent = value;
      };
      line(svg.dataset.step, format(step, 'number'));
      for (const curve of curves) {
        const [x, y] = nearest(curve.points, step);
        line(x === step ? curve.name : `${curve.name} at ${format(x, 'number')}`, format(y, svg.dataset.format));
        curve.dot.setAttribute('cx', 100 * share(x, x0, x1) + '%');
        curve.dot.setAttribute('cy', 100 * (1 - share(y, y0, y1)) + '%');
        curve.dot.style.visibility = 'visible';
      }
      tip.hidden = false;
      const left = svg.getBoundingClientRect().left - plot.getBoundingClientRect().left;
      const x = left + at / 100 * svg.getBoundingClientRect().width;
      tip.style.left = (at > 55 ? Math.max(0, x - tip.offsetWidth - 12) : x + 12) + 'px';
    };
    const follow = event => {
      const box = svg.getBoundingClientRect();
      show(x0 + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (x1 - x0));
    };
    plot.addEventListener('pointermove', follow);
    plot.addEventListener('pointerdown', follow);
    plot.addEventListener('pointerleave', hide);
    svg.setAttribute('tabindex', '0');
    svg.addEventListener('blur', hide);
    svg.addEventListener('keydown', event => {
      const move = {ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9}[event.key];
      if (event.key === 'Escape') hide();
      if (!move) return;
      event.preventDefault();
      const at = shown === null ? -1 : longest.points.findIndex(point => point[0] === shown);
      show(longest.points[Math.min(longest.points.length - 1, Math.max(0, at + move))][0]);
    });
  }

  const section = document.querySelector('#sentences');
  if (!section) return;
  const stepper = section.querySelector('.stepper'), slider = stepper.querySelector('input');
  const play = stepper.querySelector('button'), output = stepper.querySelector('output');
  const words = [...section.querySelectorAll('.example .word')];
  const layers = +section.dataset.layers;
  const show = layer => {
    let read = 0, updated = 0;
    for (const word of words) {
      const isRead = word.dataset.read >= layer, isUpdated = word.dataset.updated >= layer;
      read += isRead;
      updated += isUpdated;
      word.classList.toggle('gone', layer > 0 && !isRead);
      word.classList.toggle('frozen', layer > 0 && isRead && !isUpdated);
      word.classList.toggle('live', layer > 0 && isUpdated);
    }
    slider.value = layer;
    const caption = `Layer ${layer} of ${layers} reads ${read} and updates ${updated} of ${words.length} words`;
    output.textContent = layer ? caption : 'All layers at once';
    slider.setAttribute('aria-valuetext', output.textContent);
  };
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = 'Play';
    play.setAttribute('aria-pressed', 'false');
  };
  const advance = () => +slider.value < layers ? show(+slider.value + 1) : stop();
  play.addEventListener('click', () => {
    if (timer) return stop();
    show(+slider.value < layers ? +slider.value + 1 : 1);
    timer = setInterval(advance, 1000);
    play.textContent = 'Pause';
    play.setAttribute('aria-pressed', 'true');
  });
  slider.addEventListener('input', () => {
    stop();
    show(+slider.value);
  });
  addEventListener('beforeprint', () => { stop(); show(0); });
  show(0);
  stepper.hidden = false;
})();
)js";

}  // namespace tk
