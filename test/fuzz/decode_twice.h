// What holds for every decoder and every payload: in whatever pieces it comes, and whether rows go on in blocks
// or one by one, the rows and the verdict are the same.
#ifndef CHARTLY_TEST_FUZZ_DECODE_TWICE_H_
#define CHARTLY_TEST_FUZZ_DECODE_TWICE_H_

#include <memory>
#include <string>
#include <vector>

#include "common/status/status.h"
#include "common/text/utf8.h"
#include "drone/decode/cut_body_for_test.h"
#include "drone/decode/decoder.h"
#include "test/fuzz/fuzz_target.h"

namespace chartly::fuzz {

class RowTexts final : public drone::RowSink {
 public:
  RowTexts(size_t slots, bool takes_blocks) : slots_(slots), takes_blocks_(takes_blocks) {}
  bool takes_blocks() const override { return takes_blocks_; }
  absl::Status OnRow(const Row& row, uint32_t number) override {
    for (size_t i = 0; i < slots_; ++i) {
      Field field = row.Get(i);
      all_ += static_cast<char>('0' + static_cast<int>(field.kind));
      all_.append(field.text.data(), field.text.size());
      all_ += '\x1f';
    }
    all_ += row.Raw();
    return Count(number);
  }
  absl::Status OnBadRow(absl::string_view reason, absl::string_view, absl::string_view raw, uint32_t number) override {
    all_.append(reason.data(), reason.size());
    all_.append(raw.data(), raw.size());
    return Count(number);
  }
  const std::string& all() const { return all_; }

 private:
  absl::Status Count(uint32_t number) {
    FUZZ_CHECK(number == ++rows_);
    all_ += '\n';
    // Small inputs can stand for many rows; what a run would do with them is bounded elsewhere.
    return rows_ == 20'000 ? Error(absl::StatusCode::kCancelled, "ENOUGH", "enough rows") : absl::OkStatus();
  }
  const size_t slots_;
  const bool takes_blocks_;
  uint32_t rows_ = 0;
  std::string all_;
};

struct Verdict {
  std::string rows;
  std::string reason;  // empty if it went well
  bool operator==(const Verdict&) const = default;
};

inline Verdict DecodeOnce(const SourceConfig& source, const std::vector<std::string>& paths, drone::Body& body,
                          bool in_blocks) {
  absl::StatusOr<std::unique_ptr<drone::Decoder>> decoder = drone::Decoder::Create(source, paths);
  FUZZ_CHECK(decoder.ok());
  RowTexts rows(paths.size(), in_blocks);
  absl::StatusOr<drone::DecodeResult> result = (*decoder)->Decode(body, "", "http://h/x", rows);
  // It must be fit to be sent on.
  FUZZ_CHECK(result.ok() || (!Reason(result.status()).empty() && IsUtf8(result.status().message())));
  return {rows.all(), result.ok() ? "" : Reason(result.status())};
}

inline void DecodeTwice(const SourceConfig& source, const std::vector<std::string>& paths, absl::string_view payload) {
  drone::TextBody whole{std::string(payload)};
  Verdict expected = DecodeOnce(source, paths, whole, false);
  drone::CutBody pieces(std::string(payload), 1 + payload.size() % 7);
  Verdict verdict = DecodeOnce(source, paths, pieces, true);
  // Of two faults, that of the charset is seen first by as much as a piece reaches ahead of what is decoded.
  const bool charset = expected.reason == "PAYLOAD_NOT_UTF8" || verdict.reason == "PAYLOAD_NOT_UTF8";
  FUZZ_CHECK(charset ? !expected.reason.empty() && !verdict.reason.empty() : verdict == expected);
}

// The first byte of an input chooses how the rest is read.
inline size_t TakeChoice(absl::string_view& input, size_t choices) {
  if (input.empty()) return 0;
  size_t choice = static_cast<uint8_t>(input.front()) % choices;
  input.remove_prefix(1);
  return choice;
}

}  // namespace chartly::fuzz

#endif  // CHARTLY_TEST_FUZZ_DECODE_TWICE_H_
