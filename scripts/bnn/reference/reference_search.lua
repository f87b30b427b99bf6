--- The search of the reference, which needs no server: a list of everything that can be found, as a
-- script, and a script that looks through it.
local core = require "bnn.core"
local strings = require "bnn.base.strings"

local M = {}

--- The script: every word of the query must start a word of a row; names count most.
M.SCRIPT = [[
"use strict";
(function () {
  var box = document.getElementById("search"), list = document.getElementById("found");
  var MOST = 40;

  function wordsOf(text) { return text.toLowerCase().match(/[\w\u0080-\uffff]+/g) || []; }

  // 0: the word is not in the row; else the more the better.
  function score(row, word, query) {
    var name = row[0].toLowerCase(), parts = wordsOf(name);
    if (name === query || name === "bnn." + query) return 200;
    if (parts[parts.length - 1] === word) return 60;
    if (parts.some(function (part) { return part.indexOf(word) === 0; })) return 30;
    if (name.indexOf(word) >= 0) return 12;
    if ((" " + row[1].toLowerCase()).search("[^a-z0-9]" + word) >= 0) return 8;
    return (" " + row[3]).indexOf(" " + word) >= 0 ? 1 : 0;
  }

  function find(text) {
    var query = text.trim().toLowerCase(), words = wordsOf(query), rows = [];
    if (words.length === 0) return rows;
    REFERENCE.forEach(function (row) {
      var sum = 0;
      for (var i = 0; i < words.length; i++) {
        var s = score(row, words[i], query);
        if (s === 0) return;
        sum += s;
      }
      rows.push([sum, row]);
    });
    rows.sort(function (a, b) { return b[0] - a[0]; });
    return rows.map(function (pair) { return pair[1]; });
  }

  function say(text) {
    var item = document.createElement("li");
    item.textContent = text;
    list.appendChild(item);
  }

  function show() {
    var rows = find(box.value);
    list.textContent = "";
    rows.slice(0, MOST).forEach(function (row) {
      var item = document.createElement("li"), link = document.createElement("a");
      var about = document.createElement("span");
      link.href = row[2];
      link.textContent = row[0];
      about.textContent = row[1];
      link.appendChild(about);
      item.appendChild(link);
      list.appendChild(item);
    });
    if (rows.length > MOST) say((rows.length - MOST) + " more; another word narrows the search");
    if (rows.length === 0 && box.value.trim() !== "") say("nothing has these words");
  }

  box.addEventListener("input", show);
  box.addEventListener("keydown", function (event) {
    var first = list.querySelector("a");
    if (event.key === "Enter" && first) location.href = first.href;
    if (event.key === "Escape") { box.value = ""; show(); }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "/" || document.activeElement === box) return;
    event.preventDefault();
    box.focus();
  });
  list.addEventListener("click", function () { list.textContent = ""; });
  var asked = /[?&]q=([^&]*)/.exec(location.search);
  if (asked) {
    try { box.value = decodeURIComponent(asked[1].replace(/\+/g, " ")); } catch (e) { return; }
    show();
  }
})();
]]

-- The words of a text in small letters, each once.
local function words_of(text)
  local words, seen = {}, {}
  for word in strings.lower(text):gmatch "[%w_\128-\255]+" do
    for part in (word:find "_" and word .. " " .. word:gsub("_", " ") or word):gmatch "%S+" do
      if not seen[part] and #part > 1 then words[#words + 1], seen[part] = part, true end
    end
  end
  return table.concat(words, " ")
end

--- Makes a row of the index.
-- @param name string: what is found
-- @param about string: a sentence on it
-- @param address string: where it is
-- @param text string: what is searched besides
-- @return list
function M.row(name, about, address, text) return {name, about, address, words_of(text)} end

--- The index as a script.
-- @param rows list of what M.row gives
-- @return string
function M.index(rows)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = assert(core.json_encode(row)):gsub("\n", "") end
  return "var REFERENCE = [\n" .. table.concat(lines, ",\n") .. "\n];\n"
end

return M
