// TensorBoard's tab "Episodes": a list of a run's episodes, and two of them side by side.

const STYLE = `
  body { font: 13px Roboto, system-ui, sans-serif; color: #333; margin: 12px; background: #fff; }
  h2 { font-size: 15px; margin: 0 0 6px; font-weight: 500; }
  select, button, input { font: inherit; }
  .top { display: flex; gap: 12px; align-items: center; margin-bottom: 10px; flex-wrap: wrap; }
  .all { display: flex; gap: 16px; align-items: flex-start; }
  .list { max-height: calc(100vh - 80px); overflow: auto; flex: none; border: 1px solid #ddd; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th { position: sticky; top: 0; background: #f5f5f5; cursor: pointer; text-align: right; padding: 4px 8px; font-weight: 500; user-select: none; }
  td { text-align: right; padding: 2px 8px; white-space: nowrap; }
  tr:hover td { background: #eef6ff; cursor: pointer; }
  tr.left td { background: #dbeefe; } tr.right td { background: #ffeeda; }
  .panes { display: flex; gap: 16px; flex-wrap: wrap; }
  .pane { width: 484px; border-top: 3px solid #0077bb; padding-top: 6px; }
  .pane + .pane { border-top-color: #ee7733; }
  .pane canvas { display: block; width: 480px; margin-bottom: 6px; background: #f8f8f8; }
  .line { min-height: 18px; margin-bottom: 4px; }
  .controls { display: flex; gap: 8px; align-items: center; margin-bottom: 6px; }
  .controls input[type=range] { flex: 1; }
  .error { color: #b00020; }
  .note { color: #777; }
`;
const COLUMNS = ["episode", "update", "env", "score", "return", "length", "against"];
const MOST_ROWS = 400;  // that are shown at once, of the order chosen
const LEFT = "#4477ff", RIGHT = "#ee6644", BALL = "#ffffff", HAS_BALL = "#ffe14a";

function element(parent, kind, properties = {}) {
  const made = document.createElement(kind);
  Object.assign(made, properties);
  parent.appendChild(made);
  return made;
}

async function ask(what, parameters = {}) {
  const answer = await fetch(`./${what}?${new URLSearchParams(parameters)}`);
  if (!answer.ok) return {error: `${what}: ${answer.status}`};
  return answer.json();
}

const round = (value) => (value === null ? "?" : String(Math.round(value * 1000) / 1000));

// ---- The list -----------------------------------------------------------------------------------

class List {
  constructor(parent, chosen) {
    this.box = element(parent, "div", {className: "list"});
    this.chosen = chosen;  // called with (episode, whether for the right pane)
    this.order = {column: "episode", down: true};
    this.marked = {left: null, right: null};
  }

  show(run, episodes) {
    if (run !== this.run) this.marked = {left: null, right: null};
    this.run = run;
    this.episodes = episodes;
    this.draw();
  }

  draw() {
    this.box.replaceChildren();
    const {error, score} = this.episodes;
    if (error) return element(this.box, "div", {className: "error", textContent: error});
    const of = (column) => (n) => (column === "episode" ? n : this.episodes[column][n]);
    const value = of(this.order.column), sign = this.order.down ? -1 : 1;
    const low = (x) => (x === null ? -Infinity : x);
    const numbers = score.map((_, n) => n).sort((a, b) => {
      const x = low(value(a)), y = low(value(b));
      return sign * (x < y ? -1 : x > y ? 1 : a - b);
    });
    const columns = COLUMNS.filter((c) => c !== "against" || this.episodes.against.some(Boolean));
    const table = element(this.box, "table");
    const head = element(element(table, "thead"), "tr");
    for (const column of columns) {
      const mark = column === this.order.column ? (this.order.down ? " ▾" : " ▴") : "";
      element(head, "th", {textContent: column + mark}).onclick = () => {
        this.order = {column, down: column !== this.order.column || !this.order.down};
        this.draw();
      };
    }
    const body = element(table, "tbody");
    for (const n of numbers.slice(0, MOST_ROWS)) {
      const row = element(body, "tr");
      if (n === this.marked.left) row.classList.add("left");
      if (n === this.marked.right) row.classList.add("right");
      for (const column of columns) {
        const cell = of(column)(n);
        element(row, "td", {textContent: typeof cell === "string" ? cell : round(cell)});
      }
      row.onclick = (event) => {
        const right = event.shiftKey || event.ctrlKey || event.metaKey;
        this.marked[right ? "right" : "left"] = n;
        this.draw();
        this.chosen(n, right);
      };
    }
    if (numbers.length > MOST_ROWS) {
      const text = `the first ${MOST_ROWS} of ${numbers.length.toLocaleString()} in this order`;
      element(this.box, "div", {className: "note", textContent: text});
    }
  }
}

// ---- A pane -------------------------------------------------------------------------------------

class Pane {
  constructor(parent) {
    this.box = element(parent, "div", {className: "pane"});
    this.title = element(this.box, "h2", {textContent: "click an episode (with shift: on the right)"});
    this.picture = element(this.box, "canvas", {width: 960, height: 640});
    this.controls = element(this.box, "div", {className: "controls"});
    this.button = element(this.controls, "button", {textContent: "▶", onclick: () => this.toggle()});
    this.slider = element(this.controls, "input", {type: "range", min: 0, max: 0, value: 0});
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.line = element(this.box, "div", {className: "line"});
    this.values = element(this.box, "canvas", {width: 960, height: 220});
    this.choices = element(this.box, "canvas", {width: 960, height: 260});
    this.note = element(this.box, "div", {className: "note"});
    this.step = 0;
  }

  async show(run, episode) {
    this.stop();
    const asked = (this.asked = {});
    this.played = this.judged = null;
    this.clear();
    this.title.textContent = `episode ${episode}`;
    this.say("playing it again ...");
    const played = await ask("played", {run, episode});
    if (asked !== this.asked) return;
    if (played.error) return this.say(played.error, true);
    this.played = played;
    const whom = played.against ? `, against ${played.against}` : "";
    this.title.textContent = `${played.title}: ${run}, episode ${episode}${whom}`;
    if (played.steps[0].picture) {
      this.images = played.steps.map((step) => {
        const image = new Image();
        image.src = `data:image/webp;base64,${step.picture}`;
        return image;
      });
      await this.images[0].decode();
      if (asked !== this.asked) return;
    }
    this.slider.max = played.steps.length - 1;
    this.go(0);
    this.say(played.differs.length ? `differs from the archive: ${played.differs.join("; ")}` : "asking the policy ...");
    this.toggle();
    const judged = await ask("judged", {run, episode});
    if (asked !== this.asked) return;
    if (judged.error) return this.say(judged.error, true);
    this.judged = judged;
    if (!played.differs.length) this.say(`values and probabilities: by the policy of update ${judged.policy}`);
    this.draw();
  }

  say(text, isError = false) {
    this.note.className = isError ? "error" : "note";
    this.note.textContent = text;
  }

  clear() {
    this.line.textContent = "";
    for (const canvas of [this.picture, this.values, this.choices]) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
  }

  toggle() {
    if (this.timer) return this.stop();
    if (!this.played) return;
    if (this.step >= this.played.steps.length - 1) this.go(0);
    this.button.textContent = "❚❚";
    this.timer = setInterval(() => {
      if (this.step >= this.played.steps.length - 1) return this.stop();
      this.go(this.step + 1);
    }, 1000 / this.played.fps);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "▶";
  }

  go(step) {
    this.step = step;
    this.slider.value = step;
    this.draw();
  }

  draw() {
    const now = this.played.steps[this.step];
    const parts = [`step ${this.step}`, now.action, `score ${round(now.score)}`, `return ${round(now.return)}`, now.ending];
    this.line.textContent = parts.filter(Boolean).join("  ·  ");
    if (now.scene) drawPitch(this.picture, now.scene);
    else drawImage(this.picture, this.images[this.step]);
    this.drawValues();
    this.drawChoices();
  }

  drawValues() {
    const steps = this.played.steps.length - 1;
    const series = [{name: "return so far", color: "#888", values: this.played.steps.map((s) => s.return)}];
    if (this.judged) series.unshift({name: "value", color: "#0077bb", values: this.judged.values});
    drawCurves(this.values, series, steps, this.step);
  }

  drawChoices() {
    const {probabilities = [], chosen = []} = this.judged || {};
    const context = this.choices.getContext("2d");
    const {width, height} = this.choices;
    context.clearRect(0, 0, width, height);
    const at = Math.min(this.step, probabilities.length - 1);
    if (at < 0) return;
    const odds = probabilities[at], wide = (width - 20) / odds.length, floor = height - 30;
    odds.forEach((p, n) => {
      context.fillStyle = n === chosen[at] ? "#ee7733" : "#99bbdd";
      context.fillRect(10 + n * wide + 2, floor - p * (floor - 30), wide - 4, p * (floor - 30));
      context.fillStyle = "#555";
      context.font = "20px sans-serif";
      context.textAlign = "center";
      if (odds.length <= 24) context.fillText(n, 10 + (n + 0.5) * wide, height - 8);
    });
    context.textAlign = "left";
    context.fillText("probability of each action at this step; orange: what was done", 10, 22);
  }
}

function drawImage(canvas, image) {
  if (!image.complete || !image.naturalWidth) return;
  const context = canvas.getContext("2d");
  const scale = Math.min(canvas.width / image.naturalWidth, canvas.height / image.naturalHeight);
  const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
}

// x from -1 to 1, y from -0.42 to 0.42, as the engine has them: of 54.4 and 83.6 metres.
function drawPitch(canvas, scene) {
  const context = canvas.getContext("2d"), {width, height} = canvas;
  const scale = (width - 60) / 2;
  const point = ([x, y]) => [width / 2 + x * scale, height / 2 + y * scale * 83.6 / 54.4];
  context.fillStyle = "#2d6349";
  context.fillRect(0, 0, width, height);
  context.strokeStyle = "#cfe0d6";
  context.lineWidth = 3;
  const box = (x0, y0, x1, y1) => {
    const [a, b] = point([x0, y0]), [c, d] = point([x1, y1]);
    context.strokeRect(a, b, c - a, d - b);
  };
  box(-1, -0.42, 1, 0.42);
  for (const side of [-1, 1]) {
    box(side * 0.7, -0.24, side, 0.24);
    box(side, -0.044, side * 1.04, 0.044);
  }
  context.beginPath();
  context.moveTo(...point([0, -0.42]));
  context.lineTo(...point([0, 0.42]));
  context.moveTo(width / 2 + 0.17 * scale, height / 2);
  context.arc(width / 2, height / 2, 0.17 * scale, 0, 7);
  context.stroke();
  const [team, player] = scene.ball_owner;
  [scene.left_team, scene.right_team].forEach((players, side) => {
    const active = side ? scene.right_active : scene.left_active;
    players.forEach((where, n) => {
      if (!where) return;  // was sent off
      const [x, y] = point(where);
      context.beginPath();
      context.arc(x, y, 12, 0, 7);
      context.lineWidth = 4;
      context.strokeStyle = team === side && player === n ? HAS_BALL : side ? RIGHT : LEFT;
      context.fillStyle = active.includes(n) ? (side ? RIGHT : LEFT) : "#2d6349";
      context.fill();
      context.stroke();
    });
  });
  const [x, y] = point(scene.ball);
  context.beginPath();
  context.arc(x, y - 6 * scene.ball_height, 6, 0, 7);
  context.fillStyle = BALL;
  context.fill();
}

function drawCurves(canvas, series, steps, now) {
  const context = canvas.getContext("2d"), {width, height} = canvas;
  context.clearRect(0, 0, width, height);
  const all = series.flatMap((s) => s.values);
  const low = Math.min(0, ...all), high = Math.max(low + 1e-6, ...all);
  const x = (n) => 70 + ((width - 90) * n) / Math.max(1, steps);
  const y = (v) => height - 20 - ((height - 60) * (v - low)) / (high - low);
  context.font = "20px sans-serif";
  context.textAlign = "right";
  context.fillStyle = "#777";
  context.fillText(round(high), 62, y(high) + 7);
  context.fillText(round(low), 62, y(low) + 7);
  context.textAlign = "left";
  context.lineWidth = 3;
  let at = 70;
  for (const {name, color, values} of series) {
    context.strokeStyle = context.fillStyle = color;
    context.beginPath();
    values.forEach((v, n) => (n ? context.lineTo(x(n), y(v)) : context.moveTo(x(n), y(v))));
    context.stroke();
    context.fillText(name, at, 22);
    at += context.measureText(name).width + 30;
  }
  context.strokeStyle = "#ee7733";
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x(now), 30);
  context.lineTo(x(now), height - 20);
  context.stroke();
}

// ---- The tab ------------------------------------------------------------------------------------

export async function render() {
  element(document.head, "style", {textContent: STYLE});
  const top = element(document.body, "div", {className: "top"});
  const picker = element(top, "select");
  element(top, "button", {textContent: "look again", onclick: () => load()});
  element(top, "span", {className: "note", textContent: "click: left pane; shift-click: right pane"});
  const all = element(document.body, "div", {className: "all"});
  let panes = [];
  const list = new List(all, (episode, right) => panes[right ? 1 : 0].show(list.run, episode));
  const beside = element(all, "div", {className: "panes"});
  panes = [new Pane(beside), new Pane(beside)];
  let asked;
  async function load() {
    const now = (asked = {});
    const runs = await ask("runs");  // others may have begun
    if (now !== asked) return;
    const chosen = picker.value;
    picker.replaceChildren();
    for (const name of runs) element(picker, "option", {value: name, textContent: name});
    if (runs.includes(chosen)) picker.value = chosen;
    const episodes = await ask("episodes", {run: picker.value});
    if (now !== asked) return;  // another run has been chosen meanwhile
    list.show(picker.value, episodes);
  }
  picker.onchange = load;
  await load();
}
