-- No globals but Lua's own; luaunit finds its suites by the names of globals, hence Test...
std = "lua54"
color = false
max_line_length = 100
self = false -- a method need not use its self
ignore = { "21./_.*" } -- _name: unused on purpose
files["tests"] = { ignore = { "11[123]/Test.*" } }
