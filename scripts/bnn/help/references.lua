--- The papers and books that documentation cites, in full: help shows them as sources.
--
-- A text cites them as "Blundell et al. 2015", or with the year in brackets; & and "and" are alike.
local M = {}

-- Citation, and what it stands for.
local ROWS = {
  {"Angelopoulos and Bates 2021", "A. Angelopoulos, S. Bates, \"A gentle introduction to conformal"
    .. " prediction and distribution-free uncertainty quantification\", arXiv:2107.07511"},
  {"Ba et al. 2016", "J. Ba, J. Kiros, G. Hinton, \"Layer normalization\", arXiv:1607.06450"},
  {"Bergstra and Bengio 2012", "J. Bergstra, Y. Bengio, \"Random search for hyper-parameter"
    .. " optimization\", JMLR 13, 2012"},
  {"Bergstra et al. 2011", "J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, \"Algorithms for"
    .. " hyper-parameter optimization\", NIPS 2011"},
  {"Bhadra et al. 2021", "A. Bhadra, J. Datta, N. Polson, B. Willard, \"The horseshoe-like"
    .. " regularization for feature subset selection\", Sankhya B 83, 2021"},
  {"Blundell et al. 2015", "C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra, \"Weight"
    .. " uncertainty in neural networks\", ICML 2015, arXiv:1505.05424"},
  {"Brier 1950", "G. Brier, \"Verification of forecasts expressed in terms of probability\","
    .. " Monthly Weather Review 78, 1950"},
  {"Chen et al. 2014", "T. Chen, E. Fox, C. Guestrin, \"Stochastic gradient Hamiltonian Monte"
    .. " Carlo\", ICML 2014, arXiv:1402.4102"},
  {"Chen et al. 2023", "X. Chen et al., \"Symbolic discovery of optimization algorithms\","
    .. " NeurIPS 2023, arXiv:2302.06675"},
  {"Clevert et al. 2016", "D.-A. Clevert, T. Unterthiner, S. Hochreiter, \"Fast and accurate deep"
    .. " network learning by exponential linear units (ELUs)\", ICLR 2016, arXiv:1511.07289"},
  {"Elfwing et al. 2018", "S. Elfwing, E. Uchibe, K. Doya, \"Sigmoid-weighted linear units for"
    .. " neural network function approximation in reinforcement learning\", Neural Networks 107,"
    .. " 2018, arXiv:1702.03118"},
  {"Farquhar et al. 2020", "S. Farquhar, M. Osborne, Y. Gal, \"Radial Bayesian neural networks:"
    .. " beyond discrete support in large-scale Bayesian deep learning\", AISTATS 2020,"
    .. " arXiv:1907.00865"},
  {"Gal and Ghahramani 2016", "Y. Gal, Z. Ghahramani, \"Dropout as a Bayesian approximation:"
    .. " representing model uncertainty in deep learning\", ICML 2016, arXiv:1506.02142"},
  {"Geifman and El-Yaniv 2017", "Y. Geifman, R. El-Yaniv, \"Selective classification for deep"
    .. " neural networks\", NIPS 2017, arXiv:1705.08500"},
  {"Gneiting and Raftery 2007", "T. Gneiting, A. Raftery, \"Strictly proper scoring rules,"
    .. " prediction, and estimation\", Journal of the American Statistical Association 102, 2007"},
  {"Grimit et al. 2006", "E. Grimit, T. Gneiting, V. Berrocal, N. Johnson, \"The continuous ranked"
    .. " probability score for circular variables and its application to mesoscale forecast"
    .. " ensemble verification\", Quarterly Journal of the Royal Meteorological Society 132, 2006"},
  {"Golovin et al. 2017", "D. Golovin et al., \"Google Vizier: a service for black-box"
    .. " optimization\", KDD 2017"},
  {"Graves 2011", "A. Graves, \"Practical variational inference for neural networks\", NIPS 2011"},
  {"Guo et al. 2017", "C. Guo, G. Pleiss, Y. Sun, K. Weinberger, \"On calibration of modern neural"
    .. " networks\", ICML 2017, arXiv:1706.04599"},
  {"Hammersley and Morton 1956", "J. Hammersley, K. Morton, \"A new Monte Carlo technique:"
    .. " antithetic variates\", Proceedings of the Cambridge Philosophical Society 52, 1956"},
  {"Hansen 2016", "N. Hansen, \"The CMA evolution strategy: a tutorial\", arXiv:1604.00772"},
  {"He et al. 2016", "K. He, X. Zhang, S. Ren, J. Sun, \"Deep residual learning for image"
    .. " recognition\", CVPR 2016, arXiv:1512.03385"},
  {"Hendrycks and Gimpel 2016", "D. Hendrycks, K. Gimpel, \"Gaussian error linear units (GELUs)\","
    .. " arXiv:1606.08415"},
  {"Hernandez-Lobato and Adams 2015", "J. M. Hernandez-Lobato, R. Adams, \"Probabilistic"
    .. " backpropagation for scalable learning of Bayesian neural networks\", ICML 2015,"
    .. " arXiv:1502.05336"},
  {"Houlsby et al. 2011", "N. Houlsby, F. Huszar, Z. Ghahramani, M. Lengyel, \"Bayesian active"
    .. " learning for classification and preference learning\", arXiv:1112.5745"},
  {"Huang et al. 2017", "G. Huang, Y. Li, G. Pleiss, Z. Liu, J. Hopcroft, K. Weinberger,"
    .. " \"Snapshot ensembles: train 1, get M for free\", ICLR 2017, arXiv:1704.00109"},
  {"Ioffe and Szegedy 2015", "S. Ioffe, C. Szegedy, \"Batch normalization: accelerating deep"
    .. " network training by reducing internal covariate shift\", ICML 2015, arXiv:1502.03167"},
  {"Izmailov et al. 2018", "P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. Wilson,"
    .. " \"Averaging weights leads to wider optima and better generalization\", UAI 2018,"
    .. " arXiv:1803.05407"},
  {"Joe and Kuo 2008", "S. Joe, F. Kuo, \"Constructing Sobol sequences with better two-dimensional"
    .. " projections\", SIAM J. Sci. Comput. 30, 2008"},
  {"Jones et al. 1998", "D. Jones, M. Schonlau, W. Welch, \"Efficient global optimization of"
    .. " expensive black-box functions\", J. Global Optim. 13, 1998"},
  {"Kingma and Ba 2015", "D. Kingma, J. Ba, \"Adam: a method for stochastic optimization\","
    .. " ICLR 2015, arXiv:1412.6980"},
  {"Kingma et al. 2015", "D. Kingma, T. Salimans, M. Welling, \"Variational dropout and the local"
    .. " reparameterization trick\", NIPS 2015, arXiv:1506.02557"},
  {"Kingma and Welling 2014", "D. Kingma, M. Welling, \"Auto-encoding variational Bayes\","
    .. " ICLR 2014, arXiv:1312.6114"},
  {"Krishnan et al. 2020", "R. Krishnan, M. Subedar, O. Tickoo, \"Specifying weight priors in"
    .. " Bayesian deep neural networks with empirical Bayes\", AAAI 2020, arXiv:1906.05323"},
  {"Lakshminarayanan et al. 2017", "B. Lakshminarayanan, A. Pritzel, C. Blundell, \"Simple and"
    .. " scalable predictive uncertainty estimation using deep ensembles\", NIPS 2017,"
    .. " arXiv:1612.01474"},
  {"Li et al. 2016", "C. Li, C. Chen, D. Carlson, L. Carin, \"Preconditioned stochastic gradient"
    .. " Langevin dynamics for deep neural networks\", AAAI 2016, arXiv:1512.07666"},
  {"Li et al. 2018", "L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar, \"Hyperband:"
    .. " a novel bandit-based approach to hyperparameter optimization\", JMLR 18(185), 2018"},
  {"Li et al. 2020", "L. Li et al., \"A system for massively parallel hyperparameter tuning\","
    .. " MLSys 2020, arXiv:1810.05934"},
  {"Liu et al. 2020", "W. Liu, X. Wang, J. Owens, Y. Li, \"Energy-based out-of-distribution"
    .. " detection\", NeurIPS 2020, arXiv:2010.03759"},
  {"Loshchilov and Hutter 2019", "I. Loshchilov, F. Hutter, \"Decoupled weight decay"
    .. " regularization\", ICLR 2019, arXiv:1711.05101"},
  {"Maddox et al. 2019", "W. Maddox, T. Garipov, P. Izmailov, D. Vetrov, A. Wilson, \"A simple"
    .. " baseline for Bayesian uncertainty in deep learning\", NeurIPS 2019, arXiv:1902.02476"},
  {"McCullagh 1980", "P. McCullagh, \"Regression models for ordinal data\", J. R. Stat. Soc. B 42,"
    .. " 1980"},
  {"McKay et al. 1979", "M. McKay, R. Beckman, W. Conover, \"A comparison of three methods for"
    .. " selecting values of input variables in the analysis of output from a computer code\","
    .. " Technometrics 21, 1979"},
  {"Misra 2020", "D. Misra, \"Mish: a self regularized non-monotonic activation function\","
    .. " BMVC 2020, arXiv:1908.08681"},
  {"Naeini et al. 2015", "M. Naeini, G. Cooper, M. Hauskrecht, \"Obtaining well calibrated"
    .. " probabilities using Bayesian binning\", AAAI 2015"},
  {"Ong et al. 2018", "V. Ong, D. Nott, M. Smith, \"Gaussian variational approximation with a"
    .. " factor covariance structure\", Journal of Computational and Graphical Statistics 27, 2018,"
    .. " arXiv:1701.03208"},
  {"Pocock 1977", "S. Pocock, \"Group sequential methods in the design and analysis of clinical"
    .. " trials\", Biometrika 64, 1977"},
  {"Polyak 1964", "B. Polyak, \"Some methods of speeding up the convergence of iteration methods\","
    .. " USSR Comput. Math. Math. Phys. 4(5), 1964"},
  {"Rockova and George 2018", "V. Rockova, E. George, \"The spike-and-slab LASSO\", JASA 113,"
    .. " 2018"},
  {"Sadinle et al. 2019", "M. Sadinle, J. Lei, L. Wasserman, \"Least ambiguous set-valued"
    .. " classifiers with bounded error levels\", JASA 114, 2019, arXiv:1609.00451"},
  {"Salmon et al. 2011", "J. Salmon, M. Moraes, R. Dror, D. Shaw, \"Parallel random numbers: as"
    .. " easy as 1, 2, 3\", SC 2011"},
  {"Shen et al. 2024", "Y. Shen et al., \"Variational learning is effective for large deep"
    .. " networks\", ICML 2024, arXiv:2402.17641"},
  {"Springenberg et al. 2016", "J. Springenberg, A. Klein, S. Falkner, F. Hutter, \"Bayesian"
    .. " optimization with robust Bayesian neural networks\", NIPS 2016"},
  {"Srivastava et al. 2014", "N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever,"
    .. " R. Salakhutdinov, \"Dropout: a simple way to prevent neural networks from overfitting\","
    .. " JMLR 15, 2014"},
  {"Sutskever et al. 2013", "I. Sutskever, J. Martens, G. Dahl, G. Hinton, \"On the importance of"
    .. " initialization and momentum in deep learning\", ICML 2013"},
  {"Tieleman and Hinton 2012", "T. Tieleman, G. Hinton, \"Lecture 6.5: rmsprop\", Neural networks"
    .. " for machine learning, Coursera, 2012"},
  {"Tomczak et al. 2020", "M. Tomczak, S. Swaroop, R. Turner, \"Efficient low rank Gaussian"
    .. " variational inference for neural networks\", NeurIPS 2020"},
  {"Traub et al. 2024", "J. Traub et al., \"Overcoming common flaws in the evaluation of selective"
    .. " classification systems\", NeurIPS 2024, arXiv:2407.01032"},
  {"Vaswani et al. 2017", "A. Vaswani et al., \"Attention is all you need\", NIPS 2017,"
    .. " arXiv:1706.03762"},
  {"Vovk et al. 2005", "V. Vovk, A. Gammerman, G. Shafer, \"Algorithmic learning in a random"
    .. " world\", Springer, 2005"},
  {"Watanabe et al. 2023", "S. Watanabe, A. Bansal, F. Hutter, \"PED-ANOVA: efficiently quantifying"
    .. " hyperparameter importance in arbitrary subspaces\", IJCAI 2023, arXiv:2304.10255"},
  {"Welling and Teh 2011", "M. Welling, Y. W. Teh, \"Bayesian learning via stochastic gradient"
    .. " Langevin dynamics\", ICML 2011"},
  {"Wen et al. 2018", "Y. Wen, P. Vicol, J. Ba, D. Tran, R. Grosse, \"Flipout: efficient"
    .. " pseudo-independent weight perturbations on mini-batches\", ICLR 2018, arXiv:1803.04386"},
  {"Wilson and Izmailov 2020", "A. Wilson, P. Izmailov, \"Bayesian deep learning and a"
    .. " probabilistic perspective of generalization\", NeurIPS 2020, arXiv:2002.08791"},
  {"Wu and He 2018", "Y. Wu, K. He, \"Group normalization\", ECCV 2018, arXiv:1803.08494"},
  {"Xiong et al. 2020", "R. Xiong et al., \"On layer normalization in the transformer"
    .. " architecture\", ICML 2020, arXiv:2002.04745"},
  {"Zhang and Sennrich 2019", "B. Zhang, R. Sennrich, \"Root mean square layer normalization\","
    .. " NeurIPS 2019, arXiv:1910.07467"},
  {"Zhang et al. 2020", "R. Zhang, C. Li, J. Zhang, C. Chen, A. Wilson, \"Cyclical stochastic"
    .. " gradient MCMC for Bayesian deep learning\", ICLR 2020, arXiv:1902.03932"},
}

-- A text in which citations read alike: on one line, "and" for &, no brackets and commas.
local function even(text)
  text = text:gsub("[(),;]", " "):gsub("&", "and"):gsub("'s ", " ")
  return (text:gsub("%s+", " "))
end

--- What a text cites, in full.
-- @param text string
-- @return list of strings, by name
function M.cited(text)
  local found = {}
  if not text:find "%f[%d]%d%d%d%d%f[%D]" then return found end -- no year
  text = " " .. even(text)
  for _, row in ipairs(ROWS) do
    if text:find(" " .. row[1], 1, true) then found[#found + 1] = row[2] end
  end
  return found
end

--- The citations of a text that are not known: "Author et al. 2020", "Author and Author 2020",
-- "Author 2020".
-- @return list of strings
function M.unknown(text)
  local known, unknown = {}, {}
  for _, row in ipairs(ROWS) do known[row[1]] = true end
  local function check(citation)
    if not known[citation] then unknown[#unknown + 1] = citation end
  end
  text = even(text)
  for name in text:gmatch "%f[%w-](%u[%w-]+ et al%. [12]%d%d%d)" do check(name) end
  for name in text:gmatch "%f[%w-](%u[%w-]+ and %u[%w-]+ [12]%d%d%d)" do check(name) end
  return unknown
end

--- The citations that no text makes.
-- @param texts list of strings
-- @return list of strings
function M.unused(texts)
  local all, unused = even(table.concat(texts, "\n")), {}
  for _, row in ipairs(ROWS) do
    if not all:find(row[1], 1, true) then unused[#unused + 1] = row[1] end
  end
  return unused
end

return M
