/* SPDX-License-Identifier: MIT */
/*
 * Keeps the figures and tables of the status page up to date from /status.json, and draws the last ten minutes from /history.json. The page holds all figures
 * without this. Texts go in as text, never as markup; amounts are written as status_html.c writes them.
 */
"use strict";

(() => {
	const every = 2000;
	const svg = "http://www.w3.org/2000/svg";
	const nothing = "\u2013";
	let now = 0;
	let past = null;

	/* --- amounts --- */

	function bytes(n, per) {
		const unit = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
		let u = 0;
		for (; n >= 999.5 && u < 6; u++)
			n /= 1000;
		return `${n.toFixed(u && n < 99.95 ? 1 : 0)}\u00a0${unit[u]}${per}`;
	}

	function duration(s) {
		if (s < 60)
			return `${s}\u00a0s`;
		if (s < 3600)
			return `${Math.floor(s / 60)}\u00a0min`;
		if (s < 86400)
			return `${Math.floor(s / 3600)}\u00a0h\u00a0${Math.floor(s % 3600 / 60)}\u00a0min`;
		return `${Math.floor(s / 86400)}\u00a0d\u00a0${Math.floor(s % 86400 / 3600)}\u00a0h`;
	}

	const shown = {
		text: v => v,
		word: v => v,
		number: v => String(v),
		count: v => Math.round(v).toLocaleString("en"),
		bytes: v => bytes(v, ""),
		rate: v => (v < 99.95 ? v.toFixed(1) : Math.round(v).toLocaleString("en")) + "/s",
		speed: v => bytes(v, "/s"),
		ms: v => v < 999.5 ? `${v.toFixed(v < 9.95 ? 1 : 0)}\u00a0ms` : `${(v / 1000).toFixed(1)}\u00a0s`,
		ago: v => `${duration(Math.max(0, now - v))} ago`,
		since: v => duration(Math.max(0, now - v)),
	};

	function show(kind, v) {
		if (v === null || v === undefined)
			return kind === "ago" ? "never" : nothing;
		return shown[kind](v);
	}

	/* Only what has changed is written, so that nothing flickers and what is selected stays so. */
	function put(element, text) {
		if (element.textContent !== text)
			element.textContent = text;
	}

	/* --- figures and tables --- */

	/* A page of another configuration or version has other tables: it is asked for anew. */
	const made = ["gateway.generation", "gateway.version"].map(name => document.querySelector(`[data-figure="${name}"]`).textContent);

	function isOfToday(gateway) {
		return show("count", gateway.generation) === made[0] && gateway.version === made[1];
	}

	function figures(data) {
		for (const element of document.querySelectorAll("[data-figure]")) {
			const [group, key] = element.dataset.figure.split(".");
			const v = data[group][key];
			put(element, show(element.dataset.kind, v));
			if (element.dataset.kind === "word")
				element.dataset.is = v;
		}
	}

	function newRow(columns) {
		const row = document.createElement("tr");
		let named = false;
		for (const column of columns) {
			const names = !named && column.classList.contains("text");
			const cell = document.createElement(names ? "th" : "td");
			if (names)
				cell.scope = "row";
			cell.className = column.className;
			row.append(cell);
			named = named || names;
		}
		return row;
	}

	function tables(data) {
		for (const table of document.querySelectorAll("table[data-table]")) {
			const rows = data[table.dataset.table];
			const columns = [...table.querySelectorAll("thead th")];
			const body = table.tBodies[0];
			while (body.rows.length > rows.length)
				body.lastElementChild.remove();
			while (body.rows.length < rows.length)
				body.append(newRow(columns));
			rows.forEach((values, r) => columns.forEach((column, i) => {
				const kind = column.classList[0];
				const v = values[column.dataset.column];
				put(body.rows[r].cells[i], show(kind, v));
				if (kind === "word")
					body.rows[r].dataset.is = v;
			}));
			const empty = table.parentElement.querySelector(".empty");
			if (empty)
				empty.hidden = rows.length > 0;
		}
	}

	/* --- plots --- */

	/* 1, 2 or 5 and zeros, at least v. */
	function ceiling(v, least) {
		const ten = 10 ** Math.floor(Math.log10(Math.max(v, least)));
		return [1, 2, 5, 10].map(n => n * ten).find(n => n >= Math.max(v, least) * 0.9999);
	}

	class Plot {
		constructor(figure) {
			this.kind = figure.dataset.kind;
			this.title = figure.querySelector("h2").textContent;
			this.series = figure.dataset.plot.split(" ").map((one, i) => {
				const [key, name] = one.split(":");
				const path = document.createElementNS(svg, "path");
				path.setAttribute("class", `s${i}`);
				const value = document.createElement("b");
				return { key, name, path, value };
			});
			this.svg = document.createElementNS(svg, "svg");
			this.svg.setAttribute("preserveAspectRatio", "none");
			this.svg.setAttribute("role", "img");
			/* the first is drawn last: nothing lies over it */
			this.svg.append(...this.series.map(s => s.path).reverse());
			this.most = document.createElement("span");
			const above = document.createElement("div");
			above.className = "scale";
			above.append(this.most);
			const below = document.createElement("div");
			below.className = "scale";
			below.append(...["10 min ago", "now"].map(text => Object.assign(document.createElement("span"), { textContent: text })));
			const legend = document.createElement("ul");
			legend.className = "legend";
			this.series.forEach((s, i) => {
				const item = document.createElement("li");
				const colour = document.createElement("i");
				colour.className = `s${i}`;
				item.append(colour, `${s.name} `, s.value);
				legend.append(item);
			});
			figure.append(above, this.svg, below, legend);
		}

		draw() {
			const width = past.most - 1;
			const at = this.series.map(s => past.columns.indexOf(s.key));
			const all = past.points.flatMap(p => at.map(k => p[k])).filter(v => v !== null);
			const top = ceiling(Math.max(0, ...all), this.kind === "speed" ? 1000 : this.kind === "count" ? 10 : 1);
			const from = width - past.points.length + 1;
			this.svg.setAttribute("viewBox", `0 0 ${width} 100`);
			put(this.most, show(this.kind, top).replace(/\.0(?=\D)/, ""));
			this.series.forEach((s, i) => {
				let path = "";
				let pen = false;
				past.points.forEach((p, x) => {
					const v = p[at[i]];
					if (v !== null)
						path += `${pen ? "L" : "M"}${from + x} ${(99 - 98 * v / top).toFixed(1)}`;
					pen = v !== null;
				});
				s.path.setAttribute("d", path);
				put(s.value, show(this.kind, past.points.length ? past.points[past.points.length - 1][at[i]] : null));
			});
			this.svg.setAttribute("aria-label", `${this.title}, the last ten minutes; now: ${this.series.map(s => `${s.name} ${s.value.textContent}`).join(", ")}`);
		}
	}

	const plots = [...document.querySelectorAll("[data-plot]")].map(figure => new Plot(figure));

	function remember(point) {
		if (!past || !point)
			return;
		past.points.push(past.columns.map(key => point[key]));
		if (past.points.length > past.most)
			past.points.shift();
	}

	/* --- what is asked --- */

	async function ask(path) {
		const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5 * every) });
		if (!answer.ok)
			throw new Error(`${path}: ${answer.status}`);
		return answer.json();
	}

	const trouble = document.getElementById("trouble");
	let answered = Date.now();

	async function turn() {
		try {
			/* the past is asked for when it is not known, or has gone on unseen */
			const known = past && Date.now() - answered < 3 * every;
			const [data, history] = await Promise.all([ask("/status.json"), known ? null : ask("/history.json")]);
			now = data.now;
			if (!isOfToday(data.gateway)) {
				location.reload();
				return;
			}
			if (history)
				past = { columns: history.columns, points: history.points, most: history.points_most };
			else
				remember(data.point);
			figures(data);
			tables(data);
			document.getElementById("plots").hidden = false;
			plots.forEach(plot => plot.draw());
			answered = Date.now();
			trouble.hidden = true;
		} catch {
			put(trouble, `No answer for ${duration(Math.round((Date.now() - answered) / 1000))}. The figures are old.`);
			trouble.hidden = false;
		}
	}

	let timer = 0;
	let busy = false;

	async function live() {
		if (busy)
			return;
		busy = true;
		clearTimeout(timer);
		if (!document.hidden)
			await turn();
		timer = setTimeout(live, every);
		busy = false;
	}

	document.addEventListener("visibilitychange", () => document.hidden || live());
	live();
})();
