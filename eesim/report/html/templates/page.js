"use strict";
(function () {
  /* Hints: the text of <title> at once, by pointer or touch. Without script the browser shows it after a while. */
  const tip = document.getElementById("tip");
  const hintOf = (target) => {
    const at = target instanceof Element ? target.closest("svg.chart rect, svg.chart circle, svg.chart path, svg.chart text") : null;
    if (!at) return "";
    const title = at.querySelector(":scope > title");
    if (title) { at.dataset.tip = title.textContent; title.remove(); }
    return at.dataset.tip || "";
  };
  const showTip = (event) => {
    const text = hintOf(event.target);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4)) + "px";
    const below = event.clientY + 18;
    tip.style.top = (below + box.height > innerHeight ? Math.max(4, event.clientY - box.height - 12) : below) + "px";
  };
  document.addEventListener("pointermove", showTip);
  document.addEventListener("pointerdown", showTip);
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  /* Timelines: everything that has data-s moves; both pictures show the same time. */
  const NS = "http://www.w3.org/2000/svg", NARROW = 760;
  const ticks = (low, high, most) => {
    const raw = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= 0.75 * raw);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12); i++) found.push(i * step);
    return found;
  };
  const label = (value) => String(Number(value.toPrecision(8)));

  const setUp = (box) => {
    const charts = [...box.querySelectorAll("svg.timeline")].map((svg) => ({
      svg, left: +svg.dataset.left, bottom: +svg.dataset.bottom, inner: svg.querySelector("svg.marks"),
      axis: svg.querySelector("g.ticks"), bars: [...svg.querySelectorAll("rect[data-s], text[data-s]")],
      signs: [...svg.querySelectorAll("g[data-s]")],
    }));
    if (!charts.length) return;
    const told = charts[0].svg.dataset, low = +told.from, last = +told.last;
    /* A narrow screen shows fewer of the first frames at once. */
    const share = Math.min(1, Math.max(box.getBoundingClientRect().width / NARROW, 0.3));
    const first = { from: low, to: low + (+told.to - low) * share };
    let view = { ...first };
    box.classList.add("live");
    box.querySelector(".controls").hidden = false;

    const place = (chart) => {
      const width = Math.max(chart.svg.getBoundingClientRect().width, 240);
      const height = chart.bottom + 40, wide = width - 8 - chart.left;
      chart.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      chart.inner.setAttribute("width", wide);
      chart.inner.setAttribute("viewBox", `${chart.left} 0 ${wide} ${chart.bottom}`);
      chart.wide = wide;
      const x = (t) => chart.left + (t - view.from) / (view.to - view.from) * wide;
      const right = width - 8;
      for (const one of chart.bars) {
        const s = x(+one.dataset.s), e = x(+one.dataset.e), out = e < chart.left - 2 || s > right + 2;
        one.style.display = out ? "none" : "";
        if (out) continue;
        if (one.tagName === "rect") {
          one.setAttribute("x", s.toFixed(2));
          one.setAttribute("width", Math.max(e - s, 0.5).toFixed(2));
        } else {
          /* A name stands in the middle of what can be seen of its bar. */
          const a = Math.max(s, chart.left), b = Math.min(e, right);
          one.setAttribute("x", ((a + b) / 2).toFixed(2));
          one.setAttribute("visibility", +one.dataset.w < b - a ? "visible" : "hidden");
        }
      }
      chart.signs.forEach((one, k) => {
        /* They are sorted by row and time: a name needs room until the next sign of its row. */
        const s = x(+one.dataset.s), next = chart.signs[k + 1];
        const until = next && next.dataset.y === one.dataset.y ? Math.min(x(+next.dataset.s) - 8, right) : right;
        one.setAttribute("transform", `translate(${s.toFixed(2)} ${one.dataset.y})`);
        one.lastElementChild.setAttribute("visibility", s + +one.dataset.w <= until ? "visible" : "hidden");
      });
      chart.axis.replaceChildren(...ticks(view.from, view.to, wide / 80).map((t) => {
        const g = document.createElementNS(NS, "g"), line = document.createElementNS(NS, "line");
        const text = document.createElementNS(NS, "text");
        g.setAttribute("transform", `translate(${x(t).toFixed(2)} 0)`);
        line.setAttribute("class", "grid");
        line.setAttribute("y1", 8);
        line.setAttribute("y2", chart.bottom);
        text.setAttribute("y", chart.bottom + 16);
        text.setAttribute("text-anchor", "middle");
        text.textContent = label(t);
        g.append(line, text);
        return g;
      }));
    };
    const draw = () => charts.forEach(place);
    const show = (from, to) => {
      const span = Math.min(Math.max(to - from, 0.001), last - low);
      const begin = Math.min(Math.max(from, low), last - span);
      view = { from: begin, to: begin + span };
      draw();
    };
    const zoom = (factor, at) => show(at - (at - view.from) * factor, at + (view.to - at) * factor);
    const middle = () => (view.from + view.to) / 2;
    const shift = (share) => { const d = share * (view.to - view.from); show(view.from + d, view.to + d); };
    const actions = {
      in: () => zoom(0.5, middle()), out: () => zoom(2, middle()), left: () => shift(-0.5), right: () => shift(0.5),
      first: () => show(first.from, first.to), all: () => show(low, last),
    };
    box.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      if (button) actions[button.dataset.do]();
    });
    const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", Home: "first", "0": "all" };

    for (const chart of charts) {
      const time = (clientX) => view.from + (clientX - chart.svg.getBoundingClientRect().left - chart.left) / chart.wide * (view.to - view.from);
      chart.svg.setAttribute("tabindex", "0");
      chart.svg.addEventListener("keydown", (event) => {
        if (!(event.key in keys) || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        actions[keys[event.key]]();
      });
      chart.svg.addEventListener("wheel", (event) => {
        /* A wheel alone scrolls the page, sideways it moves the picture. */
        const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (!event.ctrlKey && !event.metaKey && !sideways) return;
        event.preventDefault();
        if (sideways) shift(event.deltaX / chart.wide); else zoom(Math.exp(event.deltaY * 0.003), time(event.clientX));
      }, { passive: false });
      chart.svg.addEventListener("dblclick", (event) => zoom(0.5, time(event.clientX)));
      const held = new Map();
      chart.svg.addEventListener("pointerdown", (event) => { held.set(event.pointerId, event.clientX); });
      chart.svg.addEventListener("pointermove", (event) => {
        if (!held.has(event.pointerId)) return;
        const before = held.get(event.pointerId);
        if (held.size === 1) {
          shift((before - event.clientX) / chart.wide);
        } else {
          const other = [...held].find(([id]) => id !== event.pointerId)[1];
          const ratio = Math.abs(before - other) / Math.max(Math.abs(event.clientX - other), 1);
          zoom(ratio, time((event.clientX + other) / 2));
        }
        held.set(event.pointerId, event.clientX);
        if (!chart.svg.hasPointerCapture(event.pointerId)) chart.svg.setPointerCapture(event.pointerId);
      });
      for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
        chart.svg.addEventListener(end, (event) => held.delete(event.pointerId));
      }
    }
    let width = 0;
    new ResizeObserver(() => {
      const now = box.getBoundingClientRect().width;
      if (now !== width) { width = now; draw(); }
    }).observe(box);
    addEventListener("beforeprint", draw);
  };
  document.querySelectorAll(".timelines").forEach(setUp);
})();
