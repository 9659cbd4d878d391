#include "drone/decode/json_decoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/decode/json_index.h"
#include "drone/decode/json_lines.h"
#include "drone/decode/json_plan.h"
#include "drone/decode/json_row_reader.h"
#include "drone/decode/json_stream.h"
#include "drone/decode/json_walk.h"
#include "drone/decode/json_window.h"

namespace chartly::drone {
namespace {

// Where a text may be cut without cutting a token, unless it is inside a string: after the last such byte.
size_t CutAfterToken(absl::string_view text) {
  size_t last = text.find_last_of("}],");
  return last == absl::string_view::npos ? 0 : last + 1;
}

void ReadPages(const Field& field, DecodeResult& result) {
  int64_t number = 0;
  bool scalar = field.kind == Field::Kind::kNumber || field.kind == Field::Kind::kText;
  if (scalar && absl::SimpleAtoi(field.text, &number)) result.pages = number;
}

void ReadNext(const Field& field, DecodeResult& result) {
  bool scalar = field.kind == Field::Kind::kNumber || field.kind == Field::Kind::kText;
  if (scalar && !field.text.empty()) result.next = std::string(field.text);
}

class JsonDecoder final : public PageDecoder {
 public:
  JsonDecoder(JsonPlan plan, const JsonSizes& sizes)
      : plan_(std::move(plan)), sizes_(sizes), reader_(plan_), walk_(plan_, reader_), lines_(plan_, reader_, walk_) {}

  absl::StatusOr<DecodeResult> Decode(Body& body, const PageInfo& page, RowSink& sink) override {
    if (LooksLikeMarkup(page.first_bytes)) {
      return PayloadError(
          page, "PAYLOAD_NOT_JSON",
          "a web page or other markup came instead of JSON; open the address in a browser to see what it says");
    }
    JsonWindow window(body);
    DecodeResult result;
    absl::Status status = page.format == Format::kNdjson ? Lines(window, sink) : Document(window, sink, result);
    if (!status.ok()) return DescribePayload(page, status);
    result.rows = reader_.rows();
    return result;
  }

 private:
  absl::Status Lines(JsonWindow& window, RowSink& sink) {
    reader_.Begin(sink, [this](size_t level, size_t path) { return &walk_.outer(level, path); });
    return lines_.Decode(window, sizes_.window_bytes, kMaxJsonRowBytes);
  }

  absl::Status Document(JsonWindow& window, RowSink& sink, DecodeResult& result) {
    const bool must_be_whole = plan_.shape == RowShape::kZipped;
    size_t whole_bytes = must_be_whole ? std::max(sizes_.whole_bytes, kMaxJsonRowBytes) : sizes_.whole_bytes;
    RETURN_IF_ERROR(window.Fill(whole_bytes + 1));
    if (window.at_end() && window.size() <= whole_bytes) return Whole(window, sink, result);
    if (must_be_whole) return TooLarge("a document of shape zipped");
    return Streamed(window, sink, result);
  }

  absl::Status Whole(JsonWindow& window, RowSink& sink, DecodeResult& result) {
    reader_.Begin(sink, [this](size_t level, size_t path) { return &walk_.outer(level, path); });
    size_t size = window.size();
    RETURN_IF_ERROR(index_.Build(window.Lend(size), size, 0));
    RETURN_IF_ERROR(walk_.Check(index_, 0));
    if (walk_.next() != index_.size() || index_.in_string()) {
      return NotJsonError(index_, index_.Position(walk_.next()), "more text after the end");
    }
    absl::Status status = walk_.Rows(index_, 0);
    RETURN_IF_ERROR(reader_.Flush());
    RETURN_IF_ERROR(status);
    if (plan_.pages != JsonPlan::kNone) ReadPages(walk_.outer(0, plan_.pages), result);
    if (plan_.next != JsonPlan::kNone) ReadNext(walk_.outer(0, plan_.next), result);
    return absl::OkStatus();
  }

  absl::Status Streamed(JsonWindow& window, RowSink& sink, DecodeResult& result) {
    JsonStream stream(plan_, reader_);
    reader_.Begin(sink, [&stream](size_t level, size_t path) { return &stream.outer(level, path); });
    // The window may hold more than this part of it, which is what was read before it was clear that there is more.
    size_t part = sizes_.window_bytes;
    while (true) {
      bool last = window.at_end() && window.size() <= part;
      size_t cut = last ? window.size() : CutAfterToken(window.text().substr(0, part));
      size_t consumed = 0;
      RETURN_IF_ERROR(index_.Build(window.Lend(cut), cut, window.offset()));
      absl::Status status = stream.Feed(index_, last, consumed);
      RETURN_IF_ERROR(reader_.Flush());
      RETURN_IF_ERROR(status);
      if (last) break;
      size_t bytes = index_.Position(consumed);
      size_t rest = std::min(part, window.size()) - bytes;
      window.Drop(bytes);
      // Without progress the part doubles, so that a large row is not read again and again.
      size_t more = bytes > 0 ? sizes_.window_bytes : std::max(rest, sizes_.window_bytes);
      if (rest > kMaxJsonRowBytes) return TooLarge("a row");
      part = std::min(rest + more, kMaxJsonRowBytes + 1);
      RETURN_IF_ERROR(window.Fill(part));
    }
    if (plan_.pages != JsonPlan::kNone) ReadPages(stream.outer(0, plan_.pages), result);
    if (plan_.next != JsonPlan::kNone) ReadNext(stream.outer(0, plan_.next), result);
    return absl::OkStatus();
  }

  static absl::Status TooLarge(absl::string_view what) {
    return Error(absl::StatusCode::kResourceExhausted, "PAYLOAD_ROW_TOO_LARGE",
                 absl::StrCat(what, " is larger than ", kMaxJsonRowBytes,
                              " bytes; ask for smaller pages, or check that "
                              "source.records leads to the rows"));
  }

  const JsonPlan plan_;
  const JsonSizes sizes_;
  JsonRowReader reader_;
  JsonWalk walk_;
  JsonLines lines_;
  JsonIndex index_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PageDecoder>> MakeJsonDecoder(Format format, const SourceConfig& source,
                                                             const std::vector<std::string>& paths,
                                                             const JsonSizes& sizes) {
  ASSIGN_OR_RETURN(JsonPlan plan, MakeJsonPlan(source, format, paths));
  return std::make_unique<JsonDecoder>(std::move(plan), sizes);
}

}  // namespace chartly::drone
