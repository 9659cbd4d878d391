#include "common/telemetry/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace chartly {
namespace {

spdlog::logger& Logger() {
  static spdlog::logger* logger = [] {
    auto* made = new spdlog::logger("chartly", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *logger;
}

std::string& ProcessName() {
  static auto* name = new std::string();
  return *name;
}

// A line break in a value would let a source write log lines of its own.
std::string Line(absl::string_view message, LogFields fields) {
  std::string line(message);
  if (!ProcessName().empty()) absl::StrAppend(&line, " process=", ProcessName());
  for (const auto& [key, value] : fields) {
    std::string clean = absl::StrReplaceAll(value, {{"\n", "\\n"}, {"\r", "\\r"}, {"\"", "'"}});
    absl::StrAppend(&line, " ", key, "=\"", clean, "\"");
  }
  return line;
}

void Write(spdlog::level::level_enum level, absl::string_view message, LogFields fields) {
  if (!Logger().should_log(level)) return;
  std::string line = Line(message, fields);
  Logger().log(level, "{}", line);
  Logger().flush();
}

}  // namespace

void InitLog(absl::string_view process, absl::string_view level) {
  ProcessName() = std::string(process);
  spdlog::level::level_enum parsed = spdlog::level::info;
  if (level == "debug") parsed = spdlog::level::debug;
  if (level == "warn") parsed = spdlog::level::warn;
  if (level == "error") parsed = spdlog::level::err;
  Logger().set_level(parsed);
}

void LogDebug(absl::string_view message, LogFields fields) { Write(spdlog::level::debug, message, fields); }
void LogInfo(absl::string_view message, LogFields fields) { Write(spdlog::level::info, message, fields); }
void LogWarn(absl::string_view message, LogFields fields) { Write(spdlog::level::warn, message, fields); }
void LogError(absl::string_view message, LogFields fields) { Write(spdlog::level::err, message, fields); }

}  // namespace chartly
