-- The library `bnn` for the stock Lua 5.4. From the tree, without a network:
--     luarocks --lua-version 5.4 make --deps-mode=none scripts/build/bnn-scm-1.rockspec
rockspec_format = "3.0"
package = "bnn"
version = "scm-1"
source = {url = "git+file://."}
description = {
  summary = "Bayesian deep learning: networks, posteriors and training as short Lua scripts",
  detailed = [[
    Variational inference, MC dropout, ensembles, samplers and MAP over a runtime in C and OpenBLAS;
    calibration, out-of-distribution metrics, sweeps, checkpoints that resume bit for bit.]],
  license = "MIT",
}
supported_platforms = {"linux"}
dependencies = {"lua ~> 5.4"}
build = {
  type = "make",
  makefile = "Makefile",
  build_target = "module",
  install_target = "install-module",
  build_variables = {},
  install_variables = {MODULE_DIR = "$(LIBDIR)"},
}
