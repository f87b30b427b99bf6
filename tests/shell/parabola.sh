# parabola.sh - an experiment of a millisecond for tests of sweeps; they source it.

# write_parabola FILE
write_parabola() {
  cat >"$1" <<'END2'
local bnn = require "bnn"
return bnn.main{
  about = "a parabola", objective = {"loss", "min"}, common = {"seed"},
  defaults = {x = {0.5, "where"}, n = {1, "how much", min = 1}},
  run = function(cfg, log)
    local noise = bnn.randn(bnn.key(cfg.seed), 4):sum():item()
    for step = 1, 3 do log:row(step, {{"loss", (cfg.x - 1) ^ 2 + noise / step + cfg.n}}) end
    return {loss = (cfg.x - 1) ^ 2 + 0.01 * noise + cfg.n}
  end,
}
END2
}

# random N: an integer from 0 to N - 1
random() { od -An -N4 -tu4 /dev/urandom | awk -v n="$1" '{print $1 % n}'; }
