// Decodes a text and keeps what came of it, in a form that tests compare.
#ifndef CHARTLY_DRONE_DECODE_COLLECTOR_FOR_TEST_H_
#define CHARTLY_DRONE_DECODE_COLLECTOR_FOR_TEST_H_

#include <string>
#include <vector>

#include "common/normalize/normalizer.h"
#include "drone/decode/decoder.h"
#include "test/support/test.h"

namespace chartly::drone {

// Every row as "1:a|2:b", with the kind of a field that is no plain text; bad rows as "!1 message".
class Collector final : public RowSink {
 public:
  explicit Collector(size_t slots, bool takes_blocks = false) : slots_(slots), takes_blocks_(takes_blocks) {}
  bool takes_blocks() const override { return takes_blocks_; }
  absl::Status OnRow(const Row& row, uint32_t number) override {
    std::string out = std::to_string(number) + ":";
    for (size_t i = 0; i < slots_; ++i) out += (i == 0 ? "" : "|") + Shown(row.Get(i));
    rows.push_back(out);
    raws.push_back(row.Raw());
    return rows.size() == stop_after ? absl::CancelledError("enough") : absl::OkStatus();
  }
  absl::Status OnBadRow(absl::string_view reason, absl::string_view message, absl::string_view raw,
                        uint32_t number) override {
    CHECK(std::string(reason) == kReasonUnreadableRow);
    CHECK_FALSE(message.empty());
    rows.push_back("!" + std::to_string(number));
    raws.emplace_back(raw);
    return absl::OkStatus();
  }

  std::vector<std::string> rows;
  std::vector<std::string> raws;
  size_t stop_after = 0;

 private:
  static std::string Shown(const Field& field) {
    std::string text(field.text);
    switch (field.kind) {
      case Field::Kind::kMissing:
        return "-";
      case Field::Kind::kNull:
        return "null";
      case Field::Kind::kNumber:
        return "#" + text;
      case Field::Kind::kBoolean:
        return "?" + text;
      case Field::Kind::kComposite:
        return "~" + text;
      case Field::Kind::kText:
        return text;
    }
    return "";
  }
  const size_t slots_;
  const bool takes_blocks_;
};

struct Decoded {
  absl::Status status;
  DecodeResult result;
  std::vector<std::string> rows;
  std::vector<std::string> raws;
};

inline Decoded DecodeOnce(const SourceConfig& source, const std::vector<std::string>& paths, const std::string& body,
                          const std::string& content_type, const std::string& uri, bool in_blocks) {
  auto decoder = Decoder::Create(source, paths);
  REQUIRE_OK(decoder);
  Collector sink(paths.size(), in_blocks);
  TextBody bytes(body);
  auto result = (*decoder)->Decode(bytes, content_type, uri, sink);
  return {result.status(), result.ok() ? *result : DecodeResult{}, sink.rows, sink.raws};
}

// Checks that rows are the same whether they come in blocks or not.
inline Decoded Decode(const SourceConfig& source, const std::vector<std::string>& paths, const std::string& body,
                      const std::string& content_type = "", const std::string& uri = "http://h/x") {
  Decoded decoded = DecodeOnce(source, paths, body, content_type, uri, false);
  Decoded in_blocks = DecodeOnce(source, paths, body, content_type, uri, true);
  CHECK(in_blocks.rows == decoded.rows);
  CHECK(in_blocks.raws == decoded.raws);
  CHECK(in_blocks.status == decoded.status);
  CHECK(in_blocks.result.rows == decoded.result.rows);
  return decoded;
}

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_COLLECTOR_FOR_TEST_H_
