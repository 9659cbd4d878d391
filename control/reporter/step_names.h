// The columns that steps read. Pure function.
#ifndef CHARTLY_CONTROL_REPORTER_STEP_NAMES_H_
#define CHARTLY_CONTROL_REPORTER_STEP_NAMES_H_

#include <string>
#include <vector>

#include "control/reporter/step.h"

namespace chartly::reporter {

// Each once, in order of appearance; without those that an earlier step makes.
std::vector<std::string> NamesReadBy(const std::vector<Step>& steps);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_STEP_NAMES_H_
