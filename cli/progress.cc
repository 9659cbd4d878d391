#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace chartly::cli {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(100);
constexpr int kBarWidth = 20;

std::string WithCommas(int64_t number) {
  std::string digits = absl::StrCat(number);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string Bar(int64_t done, int64_t total) {
  double part = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  auto filled = static_cast<size_t>(part * kBarWidth);
  std::string bar(filled, '=');
  if (filled < kBarWidth) bar += ">";
  bar.resize(kBarWidth, ' ');
  return absl::StrFormat("[%s] %3d %%  ", bar, static_cast<int>(part * 100));
}

}  // namespace

Progress::Progress(std::ostream& err, std::string unit, int64_t total)
    : err_(err),
      unit_(std::move(unit)),
      total_(total),
      on_terminal_(&err == &std::cerr && ::isatty(STDERR_FILENO) == 1),
      started_(absl::Now()),
      shown_(started_) {}

Progress::~Progress() {
  if (on_terminal_) err_ << "\r\x1b[K" << std::flush;
}

std::string Progress::Line(const std::string& unit, int64_t done, int64_t total, int64_t bytes,
                           absl::Duration elapsed) {
  std::string line = total > 0 ? Bar(done, total) : "";
  if (done > 0) absl::StrAppend(&line, WithCommas(done), " ", unit, "  ");
  absl::StrAppendFormat(&line, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  double seconds = absl::ToDoubleSeconds(elapsed);
  if (seconds < 0.1) return line;
  if (done > 0) {
    absl::StrAppend(&line, "  ", WithCommas(static_cast<int64_t>(static_cast<double>(done) / seconds)), " ", unit,
                    "/s");
  } else {
    absl::StrAppendFormat(&line, "  %.1f MiB/s", static_cast<double>(bytes) / (1 << 20) / seconds);
  }
  return line;
}

void Progress::Show(int64_t done, int64_t bytes) {
  absl::Time now = absl::Now();
  if (!on_terminal_ || now - shown_ < kInterval) return;
  shown_ = now;
  err_ << "\r\x1b[K" << Line(unit_, done, total_, bytes, now - started_) << std::flush;
}

}  // namespace chartly::cli
