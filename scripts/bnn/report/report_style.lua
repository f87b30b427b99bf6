--- The style sheet of a report: the shared one, and cards, figures and charts. Each series has
-- dashes of its own besides its colour.
local page_style = require "bnn.html.page_style"

local M = {}

--- The style sheet.
M.CSS = page_style.CSS .. [[
.word{display:inline-block;max-width:100%;white-space:normal}
td.text{overflow-wrap:break-word;max-width:26em}
td.number,th.number{text-align:right}
td.number,td code{white-space:nowrap}
td small{display:block;color:var(--muted);font-size:.92em}
tr.best td{background:color-mix(in srgb,var(--good) 10%,transparent);font-weight:600}
tr.best td small{font-weight:400}
.completed{color:var(--good)}.failed,.bad{color:var(--bad)}.dead,.interrupted{color:var(--warn)}
.running{color:var(--accent)}.pruned{color:var(--muted)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:14px;
margin:14px 0}
.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px;
min-width:0}
.card .value{font-size:1.45rem;font-weight:600;line-height:1.25;overflow-wrap:anywhere;
font-variant-numeric:tabular-nums}
.card .value span{font-size:.62em;font-weight:400;color:var(--muted)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,480px),1fr));gap:18px;
grid-auto-flow:dense;margin:14px 0}
.figures .whole{grid-column:1/-1}.whole .picture{overflow-x:auto}
.whole .picture img{min-width:640px;max-width:940px;margin:0 auto}
.bar{display:block;height:.8em;min-width:1px;margin-top:.3em;background:var(--s1);border-radius:3px}
figure{margin:0;min-width:0}
.picture{background:#fff;border:1px solid var(--rule);border-radius:6px;padding:6px}
.picture img{display:block;width:100%;height:auto}
.chart{display:block;width:100%;height:auto;margin-top:4px}
.chart text{fill:var(--muted);font:11px system-ui,"DejaVu Sans",sans-serif}
.grid{stroke:var(--grid)}.axis,.tic{stroke:var(--muted)}
.line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-dasharray:var(--d);stroke-linejoin:round}
.band{fill:var(--c);opacity:.17}.dot{fill:var(--c)}
.s1{--c:var(--s1)}.s2{--c:var(--s2);--d:7 3}.s3{--c:var(--s3);--d:2 2.5}
.s4{--c:var(--s4);--d:8 2.5 2 2.5}
.s5{--c:var(--s5);--d:4.5 2.5}.s6{--c:var(--s6);--d:9 2.5 2 2.5 2 2.5}.s7{--c:var(--s7);--d:3 5}
.s8{--c:var(--s8);--d:12 3.5}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:6px 0;padding:0;
font-size:.86rem}
.legend li{overflow-wrap:anywhere;min-width:0}
.swatch{width:28px;height:10px;margin-right:7px;vertical-align:middle}
details{margin:10px 0}
summary{cursor:pointer;color:var(--accent)}
@media(max-width:520px){dl{grid-template-columns:minmax(0,1fr)}dd{margin-bottom:6px}
h1{font-size:1.4rem}.card{padding:10px 12px}}
@media print{body{font-size:11px}h2{break-after:avoid}figure,.card,tr{break-inside:avoid}
.wide{overflow:visible}}
]]

return M
