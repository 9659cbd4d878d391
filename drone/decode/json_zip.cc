#include "drone/decode/json_zip.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

size_t Length(const JsonDocument& document, size_t array) {
  size_t length = 0;
  for (size_t i = document.First(array); i != JsonDocument::kNone; i = document.Following(document.Skip(i))) ++length;
  return length;
}

absl::Status NotZipped(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NOT_ZIPPED", message);
}

}  // namespace

JsonZip::JsonZip(const JsonIndex& index, std::vector<Column> columns)
    : document_(index),
      columns_(std::move(columns)),
      at_(columns_.size(), JsonDocument::kNone),
      fields_(columns_.size()),
      scratches_(columns_.size()) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t array = columns_[i].array;
    if (array != JsonDocument::kNone && document_.IsArray(array)) at_[i] = document_.First(array);
  }
}

absl::Status JsonZip::Check() const {
  const Column* first = nullptr;
  size_t length = 0;
  for (const Column& column : columns_) {
    if (column.array == JsonDocument::kNone) continue;
    if (!document_.IsArray(column.array)) {
      return NotZipped(absl::StrCat("\"", column.name, "\" is ", document_.KindName(column.array),
                                    ", but shape zipped wants arrays; use ^ for what stands outside of them"));
    }
    size_t own = Length(document_, column.array);
    if (first == nullptr) {
      first = &column;
      length = own;
    } else if (own != length) {
      return NotZipped(absl::StrCat("\"", first->name, "\" has ", length, " elements and \"", column.name, "\" has ",
                                    own, "; arrays of shape zipped must have the same length"));
    }
  }
  if (first != nullptr) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "PAYLOAD_NO_RECORDS",
               "none of the mapped arrays is in the object at source.records");
}

bool JsonZip::Next() {
  bool any = false;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (at_[i] == JsonDocument::kNone) continue;
    any = true;
    fields_[i] = document_.Get(at_[i], scratches_[i]);
    at_[i] = document_.Following(document_.Skip(at_[i]));
  }
  return any;
}

std::string JsonZip::Raw() const {
  std::string out = "{";
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].array == JsonDocument::kNone) continue;
    bool text = fields_[i].kind == Field::Kind::kText;
    absl::StrAppend(&out, out.size() == 1 ? "" : ",", "\"", absl::Utf8SafeCEscape(columns_[i].name),
                    text ? "\":\"" : "\":",
                    text ? absl::Utf8SafeCEscape(fields_[i].text) : std::string(fields_[i].text), text ? "\"" : "");
  }
  return out + "}";
}

}  // namespace chartly::drone
