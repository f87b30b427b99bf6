--- The style that every page of the program shares: light and dark as the reader's system is, from
-- 320 pixels on. The colours of series are Okabe and Ito's, as bnn.plot has them, those of the dark
-- scheme lighter.
local M = {}

--- The style sheet: colours, text, headings, code, tables, lists of facts.
M.CSS = [[
:root{color-scheme:light dark;--page:#fff;--card:#f7f8fa;--ink:#1b1f24;--muted:#59636e;
--rule:#d9dee4;--accent:#0a5fa8;--good:#11703b;--bad:#b42318;--warn:#8a5a00;--grid:#e3e7ec;
--s1:#0072b2;--s2:#c77f00;--s3:#007f5c;--s4:#d55e00;--s5:#b4578f;--s6:#2f93cf;
--s7:#111;--s8:#7f7f7f}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--card:#1c2026;--ink:#e6e9ed;
--muted:#9aa4af;--rule:#343b44;--accent:#6cb6f5;--good:#5cc98a;--bad:#ff8a80;--warn:#e0b050;
--grid:#2b313a;--s1:#4aa8e8;--s2:#f0ad2e;--s3:#2cc295;--s4:#ff8a3c;--s5:#e59cc4;--s6:#9bd8fb;
--s7:#f2f2f2;--s8:#a0a0a0}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main,body>header,footer{max-width:1160px;margin:0 auto;padding:0 16px}
body>header{padding-top:28px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:40px 0 10px;padding-top:14px;border-top:1px solid var(--rule)}
h3{font-size:1.02rem;margin:24px 0 6px;overflow-wrap:anywhere}
h4{font-size:.85rem;font-weight:600;margin:0;overflow-wrap:anywhere}
p{margin:6px 0;max-width:78ch;overflow-wrap:anywhere}
a{color:var(--accent)}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;margin:14px 0 0;font-size:.9rem}
.note,figcaption,footer{color:var(--muted);font-size:.86rem}
footer{padding-top:28px;padding-bottom:28px}
code,pre{font:.84em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:9px 12px;
margin:6px 0;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.wide{overflow-x:auto;margin:8px 0;border:1px solid var(--rule);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
th{font-weight:600;color:var(--muted);background:var(--card);vertical-align:bottom}
tbody tr:last-child td{border-bottom:0}
dl{display:grid;grid-template-columns:minmax(7em,max-content) minmax(0,1fr);gap:4px 16px;
margin:8px 0;font-size:.9rem}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
]]

return M
