#include "drone/fetch/since.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/value/quote_text.h"
#include "common/value/time_units.h"
#include "common/value/value.h"

namespace chartly::drone {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

int64_t FloorDiv(int64_t number, int64_t divisor) { return number / divisor - (number % divisor < 0 ? 1 : 0); }

// What one step of a whole number means in this format.
int64_t MicrosPerStep(const std::string& format) { return format == "epoch_ms" ? kMicrosPerMilli : kMicrosPerSecond; }

// A watermark is a time, a day, or a whole number that counts seconds or milliseconds.
absl::StatusOr<Timestamp> TimeOf(const std::string& watermark, const std::string& format) {
  if (absl::StatusOr<Timestamp> time = ParseTimestamp(watermark); time.ok()) return time;
  if (absl::StatusOr<Date> date = ParseDate(watermark); date.ok()) return Timestamp{date->days * kMicrosPerDay, 0};
  int64_t number = 0;
  int64_t step = MicrosPerStep(format);
  bool counts = format == "epoch_s" || format == "epoch_ms";
  if (counts && absl::SimpleAtoi(watermark, &number) && number > INT64_MIN / step && number < INT64_MAX / step) {
    return Timestamp{number * step, 0};
  }
  return Error(absl::StatusCode::kInvalidArgument, "WATERMARK_INVALID",
               absl::StrCat("the watermark ", QuoteText(watermark), " cannot be written as ", format,
                            "; choose another source.incremental.format (text leaves it as it is) or give the field "
                            "the type timestamp or date"));
}

std::string TextOf(Timestamp time, const std::string& format) {
  if (format == "epoch_s" || format == "epoch_ms") return absl::StrCat(FloorDiv(time.micros, MicrosPerStep(format)));
  if (format == "rfc3339") return FormatTimestamp(time);
  // The day where the source is and the day in UTC may differ; the earlier one misses nothing.
  int64_t earlier = time.micros + std::min<int64_t>(0, time.offset_minutes) * kMicrosPerMinute;
  return FormatDate(Date{static_cast<int32_t>(FloorDiv(earlier, kMicrosPerDay))});
}

}  // namespace

absl::StatusOr<std::optional<std::string>> SinceText(const IncrementalConfig& config,
                                                     const storage::v1::Cursor& cursor) {
  if (config.field.empty()) return std::nullopt;
  if (cursor.watermark().empty()) {
    return config.initial.empty() ? std::nullopt : std::optional<std::string>(config.initial);
  }
  if (config.format == "text") return cursor.watermark();
  ASSIGN_OR_RETURN(Timestamp time, TimeOf(cursor.watermark(), config.format));
  time.micros -= absl::ToInt64Microseconds(config.lookback);
  return TextOf(time, config.format);
}

}  // namespace chartly::drone
