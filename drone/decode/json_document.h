// Finds its way in a JSON value that was checked already (JsonBinder::Read gave true). A value is named by its first
// token. Cheap to make; the index must outlive it.
#ifndef CHARTLY_DRONE_DECODE_JSON_DOCUMENT_H_
#define CHARTLY_DRONE_DECODE_JSON_DOCUMENT_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "common/normalize/row.h"
#include "common/normalize/source_path.h"
#include "drone/decode/json_index.h"

namespace chartly::drone {

class JsonDocument {
 public:
  static constexpr size_t kNone = ~size_t{0};

  explicit JsonDocument(const JsonIndex& index) : index_(index) {}

  bool IsObject(size_t value) const { return index_.At(value) == '{'; }
  bool IsArray(size_t value) const { return index_.At(value) == '['; }
  bool IsNull(size_t value) const { return index_.At(value) == 'n'; }
  bool IsString(size_t value) const { return index_.At(value) == '"'; }
  // "an object", "a text", ...
  absl::string_view KindName(size_t value) const;

  // The token after a value.
  size_t Skip(size_t value) const;
  // The source text of a value, without blanks around.
  absl::string_view Source(size_t value) const;
  // Text without quotes and escapes (in `scratch` if it has any), digits, true, false, null, or the source text.
  Field Get(size_t value, std::string& scratch) const;
  std::string Text(size_t value) const;

  // A member of an object or an element of an array; kNone if there is none or it is neither.
  size_t Member(size_t value, absl::string_view key) const;
  size_t Element(size_t value, size_t index) const;
  // kNone if the way ends. Requires: no [*] among the steps.
  size_t Follow(size_t value, const std::vector<PathStep>& steps) const;

  // The first element of an array, or first key of an object, if it is not empty; then the element or key after one
  // whose value ends before token `after`. kNone at the end.
  size_t First(size_t container) const;
  size_t Following(size_t after) const { return index_.At(after) == ',' ? after + 1 : kNone; }
  // Of a key, the value.
  static size_t ValueOf(size_t key) { return key + 2; }

 private:
  const JsonIndex& index_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_DOCUMENT_H_
