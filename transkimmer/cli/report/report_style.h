#pragma once

namespace tk {

/// The report's style sheet: light and dark, screen and print.
extern const char* const kReportStyle;

/// The report's script: values under the pointer in a chart, and the stepper over layers. The page is complete without
/// it.
extern const char* const kReportScript;

/// The mark beside the name: rows of a model that thin out.
extern const char* const kLogoSvg;

}  // namespace tk
