// A line on the terminal that says how far long work is. Nothing is written where errors do not go to a terminal.
// Not thread-safe.
#ifndef CHARTLY_CLI_PROGRESS_H_
#define CHARTLY_CLI_PROGRESS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/time/time.h"

namespace chartly::cli {

class Progress {
 public:
  // `unit`: what is counted, "records"; `total` of them, 0 if that is not known.
  Progress(std::ostream& err, std::string unit, int64_t total);
  // Wipes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows how far it is, ten times a second at most.
  void Show(int64_t done, int64_t bytes);
  // "[=====>    ]  52 %  1,234,567 records  12.3 MiB  400,000 records/s"
  static std::string Line(const std::string& unit, int64_t done, int64_t total, int64_t bytes, absl::Duration elapsed);

 private:
  std::ostream& err_;
  const std::string unit_;
  const int64_t total_;
  const bool on_terminal_;
  const absl::Time started_;
  absl::Time shown_;
};

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_PROGRESS_H_
