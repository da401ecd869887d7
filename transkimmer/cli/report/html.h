#pragma once

#include <string>
#include <string_view>

namespace tk {

/// `text` as HTML character data, safe inside an element or a quoted attribute; ill-formed UTF-8 and control
/// characters become U+FFFD.
std::string escape_html(std::string_view text);

/// Four significant digits in groups of three, an exponent for very large and small values; an en dash for NaN, "∞" for
/// infinity.
std::string format_number(double value);

/// A share as a percentage, 0.314 as "31.4 %"; an en dash unless finite.
std::string format_percent(double share);

/// A speed-up, 2.314 as "2.31×"; an en dash unless finite.
std::string format_factor(double factor);

/// A GLUE score times 100, 0.8941 as "89.4"; an en dash unless finite.
std::string format_score(double score);

/// The difference of two scores times 100, signed, 0.8941 - 0.9 as "−0.6"; an en dash unless finite.
std::string format_score_change(double score, double reference);

/// A floating number with `digits` decimals and a point whatever the locale, for attributes of SVG and CSS.
std::string fixed(double value, int digits);

}  // namespace tk
