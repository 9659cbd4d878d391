// A JSON document that keeps the digits of its numbers and the order of its members. A missing member reads as null,
// so that an answer of an older or newer server never breaks a command. Plain value type.
#ifndef CHARTLY_CLI_JSON_H_
#define CHARTLY_CLI_JSON_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::cli {

class Json {
 public:
  enum class Kind { kNull, kScalar, kText, kArray, kObject };

  Json() = default;  // null
  static Json Text(absl::string_view text);
  // Digits, true or false, as they are to be printed.
  static Json Scalar(absl::string_view token);
  static Json Integer(int64_t number) { return Scalar(std::to_string(number)); }
  static Json Boolean(bool boolean) { return Scalar(boolean ? "true" : "false"); }
  static Json Array();
  static Json Object();
  // InvalidArgument (JSON_INVALID) if the text is not one JSON document, or more than 64 levels deep.
  static absl::StatusOr<Json> Parse(absl::string_view text);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  // The text, the digits, "true" or "false"; empty for null, the JSON itself for arrays and objects.
  std::string text() const;
  // The number as an integer; 0 if it is none. The proto mapping prints 64-bit integers as text or digits: both do.
  int64_t integer() const;
  bool boolean() const { return kind_ == Kind::kScalar && text_ == "true"; }
  const std::vector<Json>& items() const { return items_; }
  const std::vector<std::pair<std::string, Json>>& members() const { return members_; }
  // The member; null if there is none.
  const Json& operator[](absl::string_view name) const;

  Json& Set(absl::string_view name, Json value);  // of an object; appends
  Json& Add(Json value);                          // to an array
  // The document as compact JSON.
  std::string ToText() const;

 private:
  void AppendText(std::string& out) const;

  Kind kind_ = Kind::kNull;
  std::string text_;
  std::vector<Json> items_;
  std::vector<std::pair<std::string, Json>> members_;
};

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_JSON_H_
