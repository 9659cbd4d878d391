#include "common/profile/incremental_reader.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace chartly {
namespace {

// The first watermark is sent as it is written, so it must look like those that follow.
bool HasForm(absl::string_view format, absl::string_view text) {
  int64_t number = 0;
  if (format == "rfc3339") return ParseTimestamp(text).ok();
  if (format == "date") return ParseDate(text).ok();
  if (format == "epoch_s" || format == "epoch_ms") return absl::SimpleAtoi(text, &number);
  return true;
}

}  // namespace

void ReadIncremental(const NodeAt& at, NodeReader& reader, IncrementalConfig& out) {
  const NodeReader::Choices<std::string> formats = {
      {"rfc3339", "rfc3339"}, {"date", "date"}, {"epoch_s", "epoch_s"}, {"epoch_ms", "epoch_ms"}, {"text", "text"}};
  const NodeReader::Choices<bool> orders = {{"ascending", true}, {"any", false}};
  auto read_lookback = [&](const NodeAt& value) {
    reader.Duration(value, absl::ZeroDuration(), absl::Hours(24 * 3650), out.lookback);
  };
  bool is_map = reader.Map(at, {{"field", [&](const NodeAt& value) { reader.Text(value, out.field); }},
                                {"param", [&](const NodeAt& value) { reader.Text(value, out.param); }},
                                {"format", [&](const NodeAt& value) { reader.Choice(value, formats, out.format); }},
                                {"initial", [&](const NodeAt& value) { reader.Text(value, out.initial); }},
                                {"lookback", read_lookback},
                                {"order", [&](const NodeAt& value) { reader.Choice(value, orders, out.ascending); }}});
  if (!is_map) return;
  reader.Require(at, "field", "dims.time.observed");
  if (out.format == "text") {
    reader.RefuseKey(at, "lookback", "text has no time before it; choose another format, or leave lookback out");
  }
  if (!out.initial.empty() && !HasForm(out.format, out.initial)) {
    reader.Invalid(Child(at, "initial"), absl::StrCat("the text does not have the format ", out.format));
  }
}

}  // namespace chartly
