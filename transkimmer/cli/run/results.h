#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "transkimmer/training/scoring.h"

namespace tk {

/// Says which metrics are not defined: a correlation needs two examples or more whose predictions and labels vary.
void warn_of_undefined(const std::vector<SplitScore>& scores);

/// Hugging Face's eval_... keys with theirs roundings, then ours: eval_mac_share and the like.
nlohmann::json eval_results(const std::vector<SplitScore>& scores);

/// "*****  eval metrics *****" and the entries as aligned "key = value" lines, as Hugging Face prints them.
std::string metrics_text(const std::string& title, const nlohmann::json& results);

/// What a table of a split's layers shows: the shares of all tokens that each one read, updated and fed forward.
std::string layers_text(const Evaluation& evaluation, bool staged);
/// The same as a list of {"keys": ..., "updated": ..., "fed": ...}.
nlohmann::json layers_json(const Evaluation& evaluation);

}  // namespace tk
