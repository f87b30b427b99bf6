#!/bin/sh
# layers_test.sh - tests/layers.sh sees a require that runs up, in a circle or nowhere, however it is
# written, and a room without a README or with one that names a file that is not there.
set -u
# shellcheck source=tests/shell/checks.sh
. "$(dirname "$0")/checks.sh"

mkdir "$T/tree"
(cd "$tests/.." && cp -r runtime bindings scripts experiments tests "$T/tree")
cd "$T/tree" || exit 1
room=scripts/bnn/plot/canvas
echo 'pcall(require, "bnn")' >>$room/plot_text.lua
echo 'require("bnn.ood." .. file)' >>$room/plot_style.lua
echo 'require("bnn.plot.plot_" .. file)' >>$room/plot_pixels.lua
echo 'require "bnn.helq"' >>$room/gnuplot.lua
rm runtime/tensor/README.md
echo 'See `tensr.h`.' >>runtime/vec/README.md
tests/layers.sh none >"$T/out" 2>&1
equal "status" 1 $?
said=$(cat "$T/out")
has "pcall(require, ...)" "$room/plot_text.lua: looks up to scripts/bnn/init.lua" "$said"
has "a name put together" "$room/plot_style.lua: looks up to scripts/bnn/ood/ood.lua" "$said"
has "a circle of such names" "$room/plot_pixels.lua: leads back to itself" "$said"
has "no module" "$room/gnuplot.lua:$(wc -l <$room/gnuplot.lua): there is no module bnn.helq" "$said"
has "no README" "runtime/tensor: no README.md" "$said"
has "a README with a wrong name" "runtime/vec/README.md: names tensr.h, which is not there" "$said"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
