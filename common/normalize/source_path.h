// Paths into a payload: which part is a row, and where in a row a field stands.
//
//   a.b[0].c      members of objects, elements of arrays counted from zero
//   a["odd key"]  a member whose name holds dots, blanks, brackets or quotes (\" and \\ inside)
//   data[*]       every element; only in source.records
//   ^.name        seen from the element one [*] further out, ^^.name two; the outermost is the whole payload
//
// In XML, where the whole payload is the root element and names are those of elements, in any namespace, also
//
//   a.@id                  an attribute
//   Value[@id="A"].@value  the first such element whose attribute has this value; [n] behind it: the n-th, from zero
//   .                      the text of the element itself
//   p:name                 a name in the namespace that source.namespaces calls p
//
// Parsed once, used for every row. Immutable, thread-safe.
#ifndef CHARTLY_COMMON_NORMALIZE_SOURCE_PATH_H_
#define CHARTLY_COMMON_NORMALIZE_SOURCE_PATH_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

struct PathStep {
  enum class Kind { kKey, kIndex, kEach, kWhere };  // kWhere: [@key="value"], of the key in front of it
  Kind kind = Kind::kKey;
  std::string key;
  size_t index = 0;
  std::string value;
  bool operator==(const PathStep&) const = default;
};

class Path {
 public:
  // InvalidArgument (PATH_INVALID) with the column if the text does not parse. The empty text is the payload itself.
  static absl::StatusOr<Path> Parse(absl::string_view text);
  // With what only XML has.
  static absl::StatusOr<Path> ParseXml(absl::string_view text);

  const std::string& text() const { return text_; }
  const std::vector<PathStep>& steps() const { return steps_; }
  size_t levels_up() const { return levels_up_; }  // number of ^
  bool has_each() const;                           // holds a [*]

 private:
  static absl::StatusOr<Path> Parse(absl::string_view text, bool xml);

  std::string text_;
  std::vector<PathStep> steps_;
  size_t levels_up_ = 0;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_SOURCE_PATH_H_
