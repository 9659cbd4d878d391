// A folder with logs, which a person can read and hand on: one file a log, and bundle.json that says what each is of,
// what was left out, and which request ids occur where. Secrets are taken out of every line. Of a log that is longer
// than its share the newest lines stay. Not thread-safe.
#ifndef CHARTLY_CLI_LOG_BUNDLE_H_
#define CHARTLY_CLI_LOG_BUNDLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/json.h"
#include "cli/log_redactor.h"

namespace chartly::cli {

inline constexpr size_t kLogLineMax = 32 << 10;      // of a longer line the beginning stays
inline constexpr size_t kBundleRequestsMax = 10000;  // request ids that are listed; of the others how many

class LogBundle {
 public:
  // The next piece of a log; empty at its end.
  using Pieces = std::function<absl::StatusOr<absl::string_view>()>;

  // Makes the folder, which only its owner may enter. AlreadyExists (FOLDER_EXISTS); FailedPrecondition
  // (FOLDER_UNWRITABLE). `share` bounds the bytes of each log, in memory and on disk.
  static absl::StatusOr<std::unique_ptr<LogBundle>> Create(const std::string& folder, int64_t share,
                                                           LogRedactor redactor);
  // Adds a log under `name` ("gateway/pod/container.log"), of which `about` tells. A log that ends with an error is
  // kept as far as it came, with the error. FailedPrecondition (FOLDER_UNWRITABLE).
  absl::Status Add(const std::string& name, Json about, const Pieces& next);
  // A log that could not be had.
  void AddMissing(const std::string& name, Json about, const absl::Status& why);
  // Writes bundle.json: `head`, the logs, and the request ids. Returns it.
  absl::StatusOr<Json> Finish(Json head);

 private:
  struct Lines;

  LogBundle(std::string folder, int64_t share, LogRedactor redactor);
  void Take(absl::string_view line, const std::string& name, Lines& lines);
  absl::Status Write(const std::string& name, const std::string& text) const;

  const std::string folder_;
  const int64_t share_;
  LogRedactor redactor_;
  Json logs_ = Json::Array();
  std::map<std::string, std::set<std::string>> requests_;  // id -> logs
  int64_t requests_left_out_ = 0;
};

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_LOG_BUNDLE_H_
