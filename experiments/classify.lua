--- Classifies your own pictures with a trained network, which can answer "I don't know".
--
--     bnnlua experiments/mnist.lua --checkpoint=night
--     bnnlua experiments/classify.lua --checkpoint=night 3.png B.png
--
-- A picture, photographed or drawn, is converted into an image like MNIST's. The prediction is the
-- mean over networks drawn from the posterior. It abstains if they disagree more than on nearly all
-- of the images on which the rule in the checkpoint was fitted.
local bnn = require "bnn"
local text_image = require "bnn.plot.canvas.text_image"
local strings = require "bnn.base.strings"

local experiment = {
  about = "classifies pictures of single characters with a checkpoint of "
    .. "experiments/mnist.lua, and answers \"I don't know\" where it is unsure",
  positional = {"image.png ...", "pictures of one character each, dark on light or light on dark"},
  renamed = {samples = "predict_samples", fit = "preprocess"},
  common = {"seed", "threads"},
  defaults = {
    checkpoint = {nil, "a checkpoint, or the folder of a training: its best, else its newest one",
                  type = "string", required = true},
    predict_samples = {100, "networks averaged", type = "integer", min = 1},
    threshold = {nil, "answer \"I don't know\" if the score exceeds this (default: that of the "
                   .. "rule in the checkpoint)", type = "number", min = 0},
    ink = {"auto", "whether characters are dark or light; auto: whichever differs more from the "
           .. "border",
           choices = {"auto", "dark", "light"}},
    preprocess = {true, "scale and centre characters as in MNIST; --no_preprocess takes "
                    .. "pictures of 28 x 28 unchanged"},
    show = {false, "draw the network's input images as text", result = false},
    figure = {nil, "a file, .png or .svg, for the input images and their answers",
              type = "string", result = false},
  },
}

-- The pictures that can be read as images u8 [n, 28, 28], their names, and what is wrong with the
-- others; nil for no image.
local function read(paths, opts)
  local images, names, faults = {}, {}, {}
  for _, path in ipairs(paths) do
    local image, fault = bnn.data.image(path, opts)
    if image then
      images[#images + 1], names[#names + 1] = image:totable(), path
    else
      faults[#faults + 1] = fault
    end
  end
  return images[1] and bnn.tensor(images, "u8"), names, faults
end

local function open(path)
  local model = bnn.assert_or_exit(bnn.checkpoint.open(path))
  local classifies = model.likelihood and model.likelihood.classes
  local lack = ": expected a classifier, as experiments/mnist.lua trains"
  bnn.assert_or_exit(classifies, path .. lack)
  return model
end

-- What was fitted after the training, with the threshold that is asked for; nil without either.
local function fit_of(model, cfg)
  local kept = (model.extras or {}).calibration
  if not cfg.threshold then
    local lack = ": has no abstention rule, so every prediction is an answer "
      .. "(--threshold=T sets one)\n"
    if not kept then io.stderr:write(cfg.checkpoint, lack) end
    return kept
  end
  local score = kept and kept.rule.score or "class_std"
  return {
    temperature = kept and kept.temperature or 1, rule = {score = score, threshold = cfg.threshold},
  }
end

-- What the networks say of the images; ends the program where they cannot look at them.
local function predict(model, images, cfg)
  local samples = model.posterior and cfg.predict_samples or nil
  local ok, p = pcall(bnn.predict, model, images,
    {num_samples = samples, key = bnn.key(cfg.seed):fold "predict"})
  if not ok and type(p) ~= "string" then error(p, 0) end -- an interrupt
  local fault = "%s: its network does not take images of 28 x 28: %s"
  bnn.assert_or_exit(ok, not ok and fault:format(cfg.checkpoint, (p:gsub("^.-:%d+: ", ""))))
  local alone = ": has no posterior: a single network answers, and std is 0\n"
  if not model.posterior then io.stderr:write(cfg.checkpoint, alone) end
  return p
end

-- When there is no answer, on how many images that was fitted, and what was done to probabilities.
local function rule_line(p, rule)
  local score = rule.score == "class_std" and "std" or rule.score
  local line = bnn.number.format("I don't know: %s above %.3f", score, rule.threshold)
  if rule.percentile then
    line = bnn.number.format("%s, as on %.3g%% of %d validation images", line,
      100 - 100 * rule.percentile, rule.n)
  end
  if p.temperature == 1 then return line end
  return bnn.number.format("%s; probabilities at temperature %.3g", line, p.temperature)
end

-- What was predicted for each image: names of classes, where the training data had them; "none"
-- where the prediction is not a number, whose class is -1.
local function classes_of(model, p)
  local list = p.class:totable()
  for i, class in ipairs(list) do
    list[i] = class < 0 and "none" or model.classes and model.classes[class + 1] or class
  end
  return list
end

-- The table, a row for each image, and the rule below it.
local function say_answers(log, names, classes, p, rule)
  local rows = {}
  local header = {
    "image", "prediction", {"probability", format = "%.1f%%", align = "left"}, "std",
  }
  local has_score = rule and rule.score ~= "class_std"
  if has_score then header[#header + 1] = rule.score end
  if rule then header[#header + 1] = "answer" end
  for i, name in ipairs(names) do
    rows[i] = {name, classes[i], 100 * p.probability[i], p.class_std[i]}
    if has_score then rows[i][5] = p.score[i] end
    local answer = rule and (p.abstains[i] == 1 and "I don't know" or tostring(classes[i]))
    rows[i][#rows[i] + 1] = answer
  end
  log:say(bnn.table_text.render(rows, header))
  if rule then log:say(rule_line(p, rule)) end
end

-- The images as text, under the names of their files.
local function show(log, images, names)
  local titles = {}
  for i, name in ipairs(names) do titles[i] = name:match "[^/]*$" end
  log:say(text_image.grid((images:real() / 255):totable(), titles, text_image.mode(), 80))
end

-- The images with what was answered under each.
local function draw(path, images, classes, p, has_rule)
  local captions = {}
  for i = 1, images:size(1) do
    local answer = bnn.number.format("%s  %.1f%%", classes[i], 100 * p.probability[i])
    if has_rule and p.abstains[i] == 1 then answer = "I don't know" end
    captions[i] = bnn.number.format("%s\nstd %.3f", answer, p.class_std[i])
  end
  local ok, fault = bnn.plot.images{x = images, captions = captions, path = path}
  io.stderr:write(ok and "wrote " .. path or "cannot draw " .. fault, "\n")
end

local function check(cfg)
  local usage = "no pictures are given: classify.lua --checkpoint=FILE image.png ..."
  bnn.assert_or_exit(#cfg.positional > 0, usage)
  bnn.assert_or_exit(cfg.checkpoint ~= "", "--checkpoint: the name of the file is empty")
  local ending = cfg.figure and strings.lower(cfg.figure):match "%.%w+$"
  bnn.assert_or_exit(not cfg.figure or ending == ".png" or ending == ".svg",
    ("--figure: expected a name that ends in .png or .svg, got '%s'"):format(cfg.figure))
end

function experiment.run(cfg, log)
  check(cfg)
  local model = open(cfg.checkpoint)
  local images, names, faults = read(cfg.positional, {ink = cfg.ink, fit = cfg.preprocess})
  local metrics, artefacts = {answered = 0, refused = 0}, {model = model, images = images}
  if images then
    local p, fit = predict(model, images, cfg), fit_of(model, cfg)
    if fit then p = bnn.calibration.apply(fit, p) end
    if cfg.show then show(log, images, names) end
    local classes = classes_of(model, p)
    say_answers(log, names, classes, p, fit and fit.rule)
    if cfg.figure then draw(cfg.figure, images, classes, p, fit ~= nil) end
    metrics.refused = fit and p.abstains:sum():item() or 0
    metrics.answered, artefacts.prediction = #names - metrics.refused, p
  end
  for i = 1, #faults - 1 do io.stderr:write("bnnlua: ", faults[i], "\n") end
  bnn.assert_or_exit(#faults == 0, faults[#faults]) -- status 1 if one could not be read
  return metrics, artefacts
end

return bnn.main(experiment)
