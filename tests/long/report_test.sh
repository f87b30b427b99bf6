#!/usr/bin/env bash
# report_test.sh - the report of runs in a real browser, Chromium without a window, at 1280, 400 and
# 320 pixels, light and dark: nothing sticks out sideways, every text can be read against what is
# behind it, pictures are shown, and text of others does nothing, with the page's policy and without.
#
# Needs chromium (BROWSER is another); without it, skipped with a word. SHOTS=DIR keeps pictures of
# the pages to be looked at.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"

browser=${BROWSER:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
if [ -z "$browser" ]; then
  echo "no chromium here (apt-get install chromium): skipped"
  echo "0 passed, 0 failed"
  exit 0
fi

export LUA_PATH="$tests/lua/?.lua;;"
cd "$T" || exit 1
unset BNNLUA_RUNS

# ---- runs: three configurations of three seeds, one that failed, and one that is hostile ----
cat >make.lua <<'END'
local bnn = require "bnn"
local log_text = require "bnn.log.log_text"
local recorded_runs = require "recorded_runs"
local ATTACK = [["'><script>top.pwned=1</script><img src=x onerror="top.pwned=1">]]
  .. "</style></pre></title>\u{202e}"
local svg = [[<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="top.pwned=1"><script>
top.pwned=1</script><image href="http://127.0.0.1:9/x.png"/><rect width="9" height="9"/></svg>]]
require "bnn.core".make_folder "runs"
local function make(config, metrics, about, files)
  about.machine = {cpu = "a processor", isa = "avx2", folder = "/home/somebody/work",
                   versions = {OpenBLAS = "0.3.21 (core SkylakeX)", Lua = "5.4"}}
  return recorded_runs.make("runs", config, metrics, about, files)
end
local grid = assert(bnn.plot.images{x = bnn.rand(bnn.key(1), 4, 8, 8)})
assert(bnn.data.save("x.png", grid))
local png = io.open("x.png", "rb"):read "a"
for seed = 1, 3 do
  for i, lr in ipairs{0.1, 0.01, 0.001} do
    make({seed = seed, lr = lr, hidden = {64, 64}},
      {["test/accuracy"] = 0.9 + seed / 100 - i / 50, ["test/loss"] = 2.0 ^ (-9 * i) * seed,
       ["ood/entropy/letters/auroc"] = 0.9, ["ood/entropy/noise/auroc"] = 0.8 + seed / 100},
      {about = "a walk through three learning rates", result_flags = {"lr", "seed"}},
      {["figures/one/images.png"] = png, ["figures/two/images.png"] = png})
  end
end
make({seed = 4, lr = 1.0}, {["test/loss"] = 9}, {status = "failed",
  failure = "toy.lua:3: attempt to index a nil value\nstack traceback:\n\t[C]: in ?"})
local long = ("a_long/name "):rep(30)
local unbroken = long:gsub(" ", "")
make({seed = 1, [ATTACK] = ATTACK, [long] = unbroken},
  {[ATTACK] = 1, [unbroken] = 2, [ATTACK .. "/auroc"] = 3},
  {experiment = ATTACK, name = ATTACK, about = ATTACK, command = ATTACK, script = ATTACK,
   status = "failed", failure = ATTACK .. "\n" .. unbroken, host = ATTACK,
   repository = {commit = ATTACK, branch = ATTACK, dirty = true},
   data = {{name = ATTACK, train = {size = 1, fingerprint = ATTACK, origin = ATTACK}}}},
  {["figures/attack.svg"] = svg, ["notes.jsonl"] = '{"note":' .. log_text.json(ATTACK) .. "}\n"})
END
"$bnnlua" make.lua || { fail "runs are made"; echo "$passed passed, $failed failed"; exit 1; }
"$bnnlua" -m runs report --output=page.html --title="<b>Three & one</b>" >/dev/null 2>err
equal "a page is written" "" "$(grep -v 'not in the ledger' err)"
[ -e page.html ] || { echo "$passed passed, $failed failed"; exit 1; }
sed 's/<meta [^>]*Content-Security-Policy[^>]*>//' page.html >open.html # escaping alone must hold
equal "the page has a policy" 1 "$(grep -c Content-Security-Policy page.html)"
equal "its copy has none" 0 "$(grep -c Content-Security-Policy open.html)"

# ---- what the browser says of a page in a frame ----
cat >wrap.html <<'END'
<body style="margin:0"><script>
const [page, width, height, keep] = location.hash.slice(1).split(",");
const frame = document.createElement("iframe");
Object.assign(frame, {src: page, width, height, style: "border:0"});
function channels(text) { // rgb(1, 2, 3), rgba(...), color(srgb 0.1 0.2 0.3 / 0.5)
  const v = text.match(/[\d.]+/g).map(Number), unit = text.startsWith("color(") ? 255 : 1;
  return [v[0] * unit, v[1] * unit, v[2] * unit, v.length > 3 ? v[3] : 1];
}
function linear(v) {
  v /= 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}
function light([r, g, b]) { return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b); }
function over(a, b) { return a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3])).concat(1); }
function ground(element, view) { // the colour behind an element
  const layers = [];
  for (let e = element; e; e = e.parentElement)
    layers.push(channels(view.getComputedStyle(e).backgroundColor));
  return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
}
function contrast(a, b) { // as WCAG 2 has it
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}
function describe(e) { return [e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40)].join(" "); }
function has_text(e) {
  return e.tagName.toLowerCase() != "title"
    && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
}
function is_foreign(e) { return !/^(#|data:image\/)/.test(e.getAttribute("src") || e.getAttribute("href")); }
frame.onload = async () => {
  const view = frame.contentWindow, doc = frame.contentDocument, root = doc.documentElement;
  const all = [...doc.querySelectorAll("*")], images = [...doc.images], says = {};
  doc.querySelectorAll("details").forEach(d => d.open = true);
  says.overflow = root.scrollWidth - root.clientWidth;
  Object.assign(says, {wide: "", faint: "", least: 99, lines: 99});
  for (const e of doc.body.querySelectorAll("*")) {
    const style = view.getComputedStyle(e), behind = ground(e, view);
    if (!e.closest(".wide table") && e.getBoundingClientRect().right > root.clientWidth + 1)
      says.wide = says.wide || describe(e);
    if (has_text(e)) {
      const c = contrast(channels(e.tagName == "text" ? style.fill : style.color), behind);
      if (c < says.least) Object.assign(says, {least: c, faint: describe(e)});
    }
    if (e.classList.contains("line"))
      says.lines = Math.min(says.lines, contrast(channels(style.stroke), behind));
  }
  says.scripts = doc.scripts.length;
  says.handlers = all.filter(e => [...e.attributes].some(a => a.name.startsWith("on"))).length;
  says.elsewhere = [...doc.querySelectorAll("[src],[href]")].filter(is_foreign).length;
  images.forEach(i => i.loading = "eager");
  await Promise.all(images.map(i => i.decode().catch(() => 0)));
  says.images = images.filter(i => i.naturalWidth > 0).length + " of " + images.length;
  const charts = [...doc.querySelectorAll("svg.chart")];
  says.charts = charts.filter(s => s.querySelector(".line")).length > 0;
  says.letters = Math.min(...charts.map(s => 11 * s.getBoundingClientRect().width / 360));
  says.dark = light(channels(view.getComputedStyle(doc.body).backgroundColor)) < 0.1;
  says.pwned = window.pwned || view.pwned || 0;
  if (keep) return doc.querySelectorAll("details").forEach(d => d.open = true);
  frame.remove(); // its text is not what is asked for
  const out = document.createElement("pre");
  out.textContent = "\n" + Object.entries(says).map(([k, v]) => k + "=" + v).join("\n") + "\n";
  document.body.append(out);
};
document.body.append(frame);
</script>
END
# look PAGE,WIDTH,HEIGHT,KEEP SCHEME(0 dark, 1 light) ARGUMENT...
look() {
  what=$1 scheme=$2
  shift 2
  rm -rf "$T/profile" # the browser before may not have left it yet
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars \
    --allow-file-access-from-files --disable-web-security --user-data-dir="$T/profile" \
    --blink-settings=preferredColorScheme="$scheme" --virtual-time-budget=20000 "$@" \
    "file://$T/wrap.html#$what" 2>/dev/null
}
value() { sed -n "s/^$1=//p" says | head -1; }
at_least() { awk -v v="$1" -v least="$2" 'BEGIN{print (v >= least)}'; }

for page in page.html open.html; do
  for width in 1280 400 320; do # a window has at least 500
    for scheme in 1 0; do
      name="$page at $width, $([ $scheme = 1 ] && echo light || echo dark)"
      for _ in 1 2 3; do # one that did not start says nothing
        look "$page,$width,900," $scheme --window-size=1280,900 --dump-dom >says
        [ -z "$(value pwned)" ] || break
      done
      equal "$name: nothing sticks out" "0 " "$(value overflow) $(value wide)"
      equal "$name: text can be read ($(value least), $(value faint))" 1 \
        "$(at_least "$(value least)" 4.5)"
      equal "$name: lines can be seen ($(value lines))" 1 "$(at_least "$(value lines)" 3)"
      equal "$name: letters of charts ($(value letters))" 1 "$(at_least "$(value letters)" 8)"
      equal "$name: nothing of others runs" "0 0 0 0" \
        "$(value scripts) $(value handlers) $(value elsewhere) $(value pwned)"
      equal "$name: pictures are shown" "3 of 3" "$(value images)"
      equal "$name: charts are drawn" true "$(value charts)"
      equal "$name: the scheme" "$([ $scheme = 1 ] && echo false || echo true)" "$(value dark)"
    done
  done
done

if [ -n "${SHOTS:-}" ]; then
  mkdir -p "$SHOTS"
  cp page.html "$SHOTS"
  for width in 1280 400; do # pictures that cannot be made are missed by nobody but their reader
    height=$((width == 400 ? 12000 : 6500))
    look "page.html,$width,$height,keep" 1 --window-size=1280,$height \
      --screenshot="$SHOTS/$width-light.png" >/dev/null
    look "page.html,$width,$height,keep" 0 --window-size=1280,$height \
      --screenshot="$SHOTS/$width-dark.png" >/dev/null
  done
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
