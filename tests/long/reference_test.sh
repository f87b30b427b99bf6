#!/bin/sh
# reference_test.sh - the reference as a site: `bnnlua -m help --html=DIR` runs every example and
# writes it, again into the same folder, beside files of others; Chromium opens it and searches.
# BNNLUA is the binary.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/../shell/checks.sh"
cd "$T" || exit 1

site=$T/site
mkdir "$site"
echo mine >"$site/notes.txt"
echo '<p>mine</p>' >"$site/mine.html"
out=$("$bnnlua" -m help --html="$site" 2>err)
equal "the path of the index" "$site/index.html" "$out"
has "what was written" " examples, " "$(cat err)"
[ "$(du -sk "$site" | cut -f1)" -lt 4000 ] && pass || fail "less than 4 MB"

# What examples print is behind them, none fails where nothing is missing.
has "an example prints" "parameters: 6442 in 6 tensors" "$(cat "$site/posterior.html")"
grep -h "Not run here" "$site"/*.html >failed
[ -s failed ] && fail "examples that do not run" failed || pass
lacks "no folder of this machine" "/tmp/" "$(cat "$site"/bnn.*.html)"
has "flags of an experiment" "--beta" "$(cat "$site/experiment-mnist.html")"
has "a script that is no experiment" "space.choice" "$(cat "$site/experiment-sweep_custom.html")"
[ -e runs ] && fail "asking for flags records nothing" || pass
has "flags of a tool's command" "bnnlua -m runs list --help" "$(cat "$site/tool-runs.html")"

# Again: pages of its own that are no longer made go, others stay.
sed 's/train/gone/' "$site/bnn.html" >"$site/bnn.gone.html"
"$bnnlua" -m help --html="$site" >/dev/null 2>err
[ -e "$site/bnn.gone.html" ] && fail "an old page goes" || pass
equal "files of others stay" "mine" "$(cat "$site/notes.txt")"
[ -s "$site/mine.html" ] && pass || fail "... and pages"
chmod -w "$site"
if [ ! -w "$site" ]; then # not of root
  "$bnnlua" -m help --html="$site" >/dev/null 2>err
  equal "a folder that cannot be written: status" 1 $?
fi
chmod +w "$site"

# In a browser: the search finds from a file, without a server.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo "chromium is not installed: the search is not tried"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}
open_page() {
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$T/profile" \
    --dump-dom "$1" 2>/dev/null
}
dom=$(open_page "file://$site/index.html?q=learning+rate")
has "the search finds words" 'href="bnn.schedule.html"' "$(echo "$dom" | sed -n '/id="found"/,/<main>/p')"
dom=$(open_page "file://$site/bnn.html?q=bnn.train" | sed -n '/id="found"/,/<main>/p')
has "... a name first" '<a href="bnn.html#train">bnn.train' "${dom%%</li>*}"
has "... and says so if it finds nothing" "nothing has these words" \
  "$(open_page "file://$site/index.html?q=zzqx")"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
