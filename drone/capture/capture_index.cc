#include "drone/capture/capture_index.h"

#include <xxhash.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace chartly::drone {
namespace {

constexpr size_t kSumChars = 16;

std::string SumOf(absl::string_view text) {
  return absl::StrCat(absl::Hex(XXH3_64bits(text.data(), text.size()), absl::kZeroPad16));
}

bool ParseLine(absl::string_view text, storage::v1::CaptureLine& line) {
  if (text.size() <= kSumChars || text[kSumChars] != ' ') return false;
  const absl::string_view body = text.substr(kSumChars + 1);
  std::string bytes;
  return SumOf(body) == text.substr(0, kSumChars) && absl::Base64Unescape(body, &bytes) && line.ParseFromString(bytes);
}

}  // namespace

std::string IndexLine(const storage::v1::CaptureLine& line) {
  const std::string body = absl::Base64Escape(line.SerializeAsString());
  return absl::StrCat(SumOf(body), " ", body, "\n");
}

std::string IndexLine(const storage::v1::CapturedFetch& fetch) {
  storage::v1::CaptureLine line;
  *line.mutable_fetch() = fetch;
  return IndexLine(line);
}

std::string IndexLine(const storage::v1::CaptureBounds& bounds) {
  storage::v1::CaptureLine line;
  *line.mutable_bounds() = bounds;
  return IndexLine(line);
}

CaptureIndex ParseIndex(absl::string_view text) {
  CaptureIndex index;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    storage::v1::CaptureLine line;
    const bool whole = end != text.npos && ParseLine(text.substr(begin, end - begin), line);
    begin = end == text.npos ? text.size() : end + 1;
    if (!whole) {
      ++index.damaged;
      continue;
    }
    index.whole_bytes = static_cast<int64_t>(begin);
    if (line.has_bounds()) index.bounds = std::move(*line.mutable_bounds());
    if (line.has_fetch()) index.fetches.push_back(std::move(*line.mutable_fetch()));
  }
  return index;
}

std::string IndexText(const CaptureIndex& index) {
  std::string text = IndexLine(index.bounds);
  for (const storage::v1::CapturedFetch& fetch : index.fetches) absl::StrAppend(&text, IndexLine(fetch));
  return text;
}

}  // namespace chartly::drone
