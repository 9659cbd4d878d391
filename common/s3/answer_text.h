// What an S3 answer says in XML: elements with their texts, in order. Nothing of its structure is needed.
#ifndef CHARTLY_COMMON_S3_ANSWER_TEXT_H_
#define CHARTLY_COMMON_S3_ANSWER_TEXT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::s3 {

// Pure; thread-safe.
class AnswerText {
 public:
  // InvalidArgument (S3_ANSWER_INVALID) if it is no XML, or declares a document type.
  static absl::StatusOr<AnswerText> Parse(absl::string_view xml);
  // Innermost elements, in order: {"Key", "parts/a"}, {"Size", "12"}.
  const std::vector<std::pair<std::string, std::string>>& elements() const { return elements_; }
  // The text of the first of that name; empty if there is none.
  std::string First(absl::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> elements_;
};

}  // namespace chartly::s3

#endif  // CHARTLY_COMMON_S3_ANSWER_TEXT_H_
