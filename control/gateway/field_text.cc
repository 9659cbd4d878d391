#include "control/gateway/field_text.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "chartly/v1/record.pb.h"
#include "common/status/status.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;

std::string Shown(absl::string_view text) {
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, 64)), text.size() > 64 ? "...'" : "'");
}

// RunStatus -> RUN_STATUS_
std::string EnumPrefix(const google::protobuf::EnumDescriptor& type) {
  std::string prefix;
  for (char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return prefix + "_";
}

template <typename Number, typename Setter, typename Adder>
absl::Status SetNumber(bool parsed, Number number, const FieldDescriptor& field, absl::string_view kind,
                       absl::string_view text, absl::string_view path, Setter set, Adder add) {
  if (!parsed) return FieldError(path, absl::StrCat(Shown(text), " is not ", kind));
  field.is_repeated() ? add(number) : set(number);
  return absl::OkStatus();
}

bool ParseBool(absl::string_view text, bool& out) {
  out = absl::EqualsIgnoreCase(text, "true") || text == "1" || text.empty();  // "?flag" alone switches it on
  return out || absl::EqualsIgnoreCase(text, "false") || text == "0";
}

absl::Status SetInteger(Message& message, const FieldDescriptor& field, absl::string_view text,
                        absl::string_view path) {
  const Reflection& r = *message.GetReflection();
  Message* m = &message;
  const FieldDescriptor* f = &field;
  // SimpleAtoi takes blanks and a plus sign; JSON and queries should not.
  bool plain = !text.empty() && (absl::ascii_isdigit(static_cast<unsigned char>(text[0])) || text[0] == '-') &&
               absl::ascii_isdigit(static_cast<unsigned char>(text.back()));
  auto parse = [&](auto number, absl::string_view kind, auto set, auto add) {
    bool parsed = plain && absl::SimpleAtoi(text, &number);
    return SetNumber(parsed, number, field, kind, text, path, set, add);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return parse(
          int32_t{0}, "an integer of 32 bits", [&](int32_t v) { r.SetInt32(m, f, v); },
          [&](int32_t v) { r.AddInt32(m, f, v); });
    case FieldDescriptor::CPPTYPE_INT64:
      return parse(
          int64_t{0}, "an integer of 64 bits", [&](int64_t v) { r.SetInt64(m, f, v); },
          [&](int64_t v) { r.AddInt64(m, f, v); });
    case FieldDescriptor::CPPTYPE_UINT32:
      return parse(
          uint32_t{0}, "a positive integer of 32 bits", [&](uint32_t v) { r.SetUInt32(m, f, v); },
          [&](uint32_t v) { r.AddUInt32(m, f, v); });
    default:
      return parse(
          uint64_t{0}, "a positive integer of 64 bits", [&](uint64_t v) { r.SetUInt64(m, f, v); },
          [&](uint64_t v) { r.AddUInt64(m, f, v); });
  }
}

absl::Status SetFloating(Message& message, const FieldDescriptor& field, absl::string_view text,
                         absl::string_view path) {
  const Reflection& r = *message.GetReflection();
  Message* m = &message;
  const FieldDescriptor* f = &field;
  double number = 0;
  bool parsed = absl::SimpleAtod(text, &number) && std::isfinite(number);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
    return SetNumber(
        parsed, number, field, "a finite number", text, path, [&](double v) { r.SetDouble(m, f, v); },
        [&](double v) { r.AddDouble(m, f, v); });
  }
  return SetNumber(
      parsed, static_cast<float>(number), field, "a finite number", text, path, [&](float v) { r.SetFloat(m, f, v); },
      [&](float v) { r.AddFloat(m, f, v); });
}

absl::Status SetString(Message& message, const FieldDescriptor& field, absl::string_view text, absl::string_view path) {
  std::string value(text);
  if (field.type() == FieldDescriptor::TYPE_BYTES && !absl::Base64Unescape(text, &value)) {
    return FieldError(path, "is not base64");
  }
  if (field.is_repeated()) {
    message.GetReflection()->AddString(&message, &field, std::move(value));
  } else {
    message.GetReflection()->SetString(&message, &field, std::move(value));
  }
  return absl::OkStatus();
}

absl::Status SetEnum(Message& message, const FieldDescriptor& field, absl::string_view text, absl::string_view path) {
  ASSIGN_OR_RETURN(int number, EnumFromText(*field.enum_type(), text, path));
  if (field.is_repeated()) {
    message.GetReflection()->AddEnumValue(&message, &field, number);
  } else {
    message.GetReflection()->SetEnumValue(&message, &field, number);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FieldError(absl::string_view path, absl::string_view problem) {
  return Error(absl::StatusCode::kInvalidArgument, "FIELD_INVALID", absl::StrCat(path, ": ", problem),
               {{"field", path}});
}

std::string EnumText(const google::protobuf::EnumValueDescriptor& value) {
  std::string prefix = EnumPrefix(*value.type());
  absl::string_view name = value.name();
  if (absl::StartsWith(name, prefix)) name.remove_prefix(prefix.size());
  return absl::AsciiStrToLower(name);
}

bool IsTimeType(const Descriptor& type) {
  return &type == google::protobuf::Timestamp::descriptor() || &type == google::protobuf::Duration::descriptor();
}

bool IsValueType(const Descriptor& type) { return &type == v1::Value::descriptor(); }

absl::StatusOr<int> EnumFromText(const google::protobuf::EnumDescriptor& type, absl::string_view text,
                                 absl::string_view path) {
  std::vector<std::string> known;
  for (int i = 0; i < type.value_count(); ++i) {
    std::string short_name = EnumText(*type.value(i));
    if (absl::EqualsIgnoreCase(text, short_name) || absl::EqualsIgnoreCase(text, type.value(i)->name())) {
      return type.value(i)->number();
    }
    known.push_back(std::move(short_name));
  }
  int number = 0;
  if (absl::SimpleAtoi(text, &number) && type.FindValueByNumber(number) != nullptr) return number;
  return FieldError(path, absl::StrCat(Shown(text), " is not one of ", absl::StrJoin(known, ", ")));
}

absl::Status SetTimeFromText(Message& message, absl::string_view text, absl::string_view path) {
  if (message.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
    google::protobuf::Timestamp time;
    if (!TimeUtil::FromString(std::string(text), &time)) {
      return FieldError(path, absl::StrCat(Shown(text), " is not an RFC 3339 time such as 2026-01-31T09:00:00Z"));
    }
    message.CopyFrom(time);
    return absl::OkStatus();
  }
  google::protobuf::Duration duration;
  if (!TimeUtil::FromString(std::string(text), &duration)) {
    return FieldError(path, absl::StrCat(Shown(text), " is not a duration in seconds such as 90s or 1.5s"));
  }
  message.CopyFrom(duration);
  return absl::OkStatus();
}

absl::Status SetFromText(Message& message, const FieldDescriptor& field, absl::string_view text,
                         absl::string_view path) {
  const Reflection& r = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return SetString(message, field, text, path);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(message, field, text, path);
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      bool parsed = ParseBool(text, value);
      return SetNumber(
          parsed, value, field, "true or false", text, path, [&](bool v) { r.SetBool(&message, &field, v); },
          [&](bool v) { r.AddBool(&message, &field, v); });
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return SetFloating(message, field, text, path);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (field.is_map() || !IsTimeType(*field.message_type())) return FieldError(path, "cannot be given as text");
      return SetTimeFromText(
          field.is_repeated() ? *r.AddMessage(&message, &field) : *r.MutableMessage(&message, &field), text, path);
    default:
      return SetInteger(message, field, text, path);
  }
}

}  // namespace chartly::gateway
