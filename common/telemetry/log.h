// Logging: spdlog to stderr, one line an event: time level message key=value ... Messages are short and constant;
// what varies goes into the fields. Secrets never go in. Thread-safe.
#ifndef CHARTLY_COMMON_TELEMETRY_LOG_H_
#define CHARTLY_COMMON_TELEMETRY_LOG_H_

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace chartly {

using LogFields = std::initializer_list<std::pair<absl::string_view, std::string>>;

// "debug", "info", "warn" or "error"; anything else is info. `process` stands in every line.
void InitLog(absl::string_view process, absl::string_view level);
void LogDebug(absl::string_view message, LogFields fields = {});
void LogInfo(absl::string_view message, LogFields fields = {});
void LogWarn(absl::string_view message, LogFields fields = {});
void LogError(absl::string_view message, LogFields fields = {});

}  // namespace chartly

#endif  // CHARTLY_COMMON_TELEMETRY_LOG_H_
