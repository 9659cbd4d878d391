#include "drone/decode/json_lines.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {

JsonLines::JsonLines(const JsonPlan& plan, JsonRowReader& reader, JsonWalk& walk)
    : one_row_(plan.records.steps().empty() && plan.shape == RowShape::kObjects && plan.levels[0].empty()),
      reader_(reader),
      walk_(walk) {}

absl::Status JsonLines::Decode(JsonWindow& window, size_t window_bytes, size_t line_bytes) {
  size_t want = window_bytes;
  while (true) {
    RETURN_IF_ERROR(window.Fill(want));
    bool last = window.at_end();
    size_t end = last ? window.size() : window.text().rfind('\n') + 1;
    if (end > 0) {
      size_t offset = window.offset();
      RETURN_IF_ERROR(Part(window.Lend(end), end, offset, last));
    } else if (window.size() > line_bytes) {
      return Error(absl::StatusCode::kResourceExhausted, "PAYLOAD_ROW_TOO_LARGE",
                   absl::StrCat("a line is longer than ", line_bytes,
                                " bytes; if the payload is one JSON document, set "
                                "source.format to json"));
    }
    if (last) return absl::OkStatus();
    if (end > 0) window.Drop(end);
    want = end > 0 ? window.size() + window_bytes : std::min(2 * window.size(), line_bytes + 1);
  }
}

absl::Status JsonLines::Part(char* text, size_t size, size_t offset, bool last) {
  absl::Status indexed = index_.Build(text, size, offset);
  const bool broken = !indexed.ok() || index_.in_string();
  absl::Status status = broken ? OneByOne(absl::string_view(text, size), offset, last) : Indexed(last);
  RETURN_IF_ERROR(reader_.Flush());  // rows before an error go on first
  return status;
}

bool JsonLines::IsOneLine(size_t first, size_t next, bool without_end) const {
  const uint32_t* tokens = index_.tokens();
  const char* begin = index_.text() + tokens[first];
  const char* end = index_.text() + tokens[next - 1];
  if (!without_end && std::memchr(begin, '\n', static_cast<size_t>(end - begin)) != nullptr) return false;
  if (next == index_.size() || end[1] == '\n') return true;
  return std::memchr(end, '\n', static_cast<size_t>(index_.text() + tokens[next] - end)) != nullptr;
}

absl::string_view JsonLines::LineAt(size_t token) const {
  absl::string_view text(index_.text(), index_.text_size());
  size_t at = index_.tokens()[token];
  size_t begin = text.rfind('\n', at);
  begin = begin == absl::string_view::npos ? 0 : begin + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

absl::Status JsonLines::Indexed(bool last) {
  size_t token = 0;
  while (token < index_.size()) {
    if (one_row_) {
      const size_t before = token;
      ASSIGN_OR_RETURN(token, reader_.GiveLines(index_, token));
      if (token > before) continue;
    }
    if (one_row_ && index_.At(token) == '{') {
      if (reader_.Read(index_, token, 0) && IsOneLine(token, reader_.next(), reader_.on_one_line())) {
        token = reader_.next();
        RETURN_IF_ERROR(reader_.Give());
        continue;
      }
    } else if (walk_.Check(index_, token).ok() && IsOneLine(token, walk_.next(), false)) {
      size_t next = walk_.next();
      RETURN_IF_ERROR(walk_.Rows(index_, token));
      token = next;
      continue;
    }
    absl::string_view line = LineAt(token);
    const size_t end = static_cast<size_t>(line.data() - index_.text()) + line.size();
    bool cut_off = last && end == index_.text_size();
    RETURN_IF_ERROR(Alone(line, index_.offset() + end - line.size(), cut_off));
    while (token < index_.size() && index_.tokens()[token] < end) ++token;
  }
  return absl::OkStatus();
}

absl::Status JsonLines::OneByOne(absl::string_view text, size_t offset, bool last) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    bool cut_off = last && end == absl::string_view::npos;
    absl::string_view line = text.substr(0, end);
    size_t line_offset = offset;
    offset += std::min(text.size(), line.size() + 1);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!absl::StripAsciiWhitespace(line).empty()) RETURN_IF_ERROR(Alone(line, line_offset, cut_off));
  }
  return absl::OkStatus();
}

absl::Status JsonLines::Check(absl::string_view line, size_t offset) {
  line_.assign(line.data(), line.size());
  line_.append(kJsonPadding, '\0');
  RETURN_IF_ERROR(line_index_.Build(line_.data(), line.size(), offset));
  RETURN_IF_ERROR(walk_.Check(line_index_, 0));
  if (walk_.next() == line_index_.size() && !line_index_.in_string()) return absl::OkStatus();
  return NotJsonError(line_index_, line_index_.Position(walk_.next()), "more than one value in a line");
}

absl::Status JsonLines::Alone(absl::string_view line, size_t offset, bool cut_off) {
  RETURN_IF_ERROR(reader_.Flush());
  absl::Status checked = Check(line, offset);
  if (checked.ok()) return walk_.Rows(line_index_, 0);
  if (cut_off && Reason(checked) == "PAYLOAD_TRUNCATED") return checked;
  std::string message(checked.message().data(), checked.message().size());
  return reader_.GiveBad(message, absl::StripAsciiWhitespace(line));
}

}  // namespace chartly::drone
