#include "control/gateway/json_reader.h"

#include <simdjson.h>

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "chartly/v1/record.pb.h"
#include "common/status/status.h"
#include "control/gateway/field_text.h"
#include "control/gateway/json_number.h"
#include "control/gateway/nearest.h"

namespace chartly::gateway {
namespace {

namespace od = simdjson::ondemand;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Where in the document we are. A child's path is only put into text for an error message.
struct Place {
  const Place* parent = nullptr;
  absl::string_view key;
  size_t index = 0;

  std::string Text() const {
    if (parent == nullptr) return "";
    std::string above = parent->Text();
    if (key.data() == nullptr) return absl::StrCat(above, "[", index, "]");
    return above.empty() ? std::string(key) : absl::StrCat(above, ".", key);
  }
};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Malformed(simdjson::error_code error, const Place& place) {
  std::string path = place.Text();
  return Error(absl::StatusCode::kInvalidArgument, "JSON_MALFORMED",
               absl::StrCat("the body is not valid JSON", path.empty() ? "" : absl::StrCat(" near ", path), ": ",
                            simdjson::error_message(error)),
               {{"field", path}});
}

#define RETURN_IF_JSON_ERROR(expression, place)                               \
  do {                                                                        \
    simdjson::error_code json_error = (expression);                           \
    if (json_error != simdjson::SUCCESS) return Malformed(json_error, place); \
  } while (false)

absl::Status ReadObject(od::object object, Message& message, const Place& place);

// The token of a scalar without blanks around it.
absl::string_view Token(od::value& value) { return absl::StripAsciiWhitespace(View(value.raw_json_token())); }

absl::Status ReadNull(od::value& value, const Place& place) {
  if (Token(value) != "null") return Malformed(simdjson::N_ATOM_ERROR, place);
  return absl::OkStatus();
}

absl::Status ReadNumberValue(absl::string_view token, v1::Value& out, const Place& place) {
  if (!IsJsonNumber(token)) return Malformed(simdjson::NUMBER_ERROR, place);
  int64_t integer = 0;
  if (IsWholeNumber(token) && absl::SimpleAtoi(token, &integer)) {
    out.set_integer(integer);
  } else {
    out.set_decimal(token.data(), token.size());
  }
  return absl::OkStatus();
}

absl::Status ReadValue(od::value& value, v1::Value& out, const Place& place) {
  od::json_type type;
  RETURN_IF_JSON_ERROR(value.type().get(type), place);
  switch (type) {
    case od::json_type::null:
      return ReadNull(value, place);
    case od::json_type::string: {
      std::string_view text;
      RETURN_IF_JSON_ERROR(value.get_string().get(text), place);
      out.set_text(text.data(), text.size());
      return absl::OkStatus();
    }
    case od::json_type::boolean: {
      bool truth = false;
      RETURN_IF_JSON_ERROR(value.get_bool().get(truth), place);
      out.set_boolean(truth);
      return absl::OkStatus();
    }
    case od::json_type::number:
      return ReadNumberValue(Token(value), out, place);
    default:
      return FieldError(place.Text(), "is an object or array; a value is text, a number, true, false or null");
  }
}

// The messages that JSON writes as scalars, and all others as objects.
absl::Status ReadMessage(od::value& value, Message& message, const Place& place) {
  if (IsValueType(*message.GetDescriptor())) return ReadValue(value, static_cast<v1::Value&>(message), place);
  if (IsTimeType(*message.GetDescriptor())) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return FieldError(place.Text(), "must be text");
    return SetTimeFromText(message, View(text), place.Text());
  }
  od::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return FieldError(place.Text(), "must be an object");
  return ReadObject(object, message, place);
}

// One scalar, set or added.
absl::Status ReadScalar(od::value& value, Message& message, const FieldDescriptor& field, const Place& place) {
  od::json_type type;
  RETURN_IF_JSON_ERROR(value.type().get(type), place);
  FieldDescriptor::CppType kind = field.cpp_type();
  bool is_text = kind == FieldDescriptor::CPPTYPE_STRING;
  bool is_bool = kind == FieldDescriptor::CPPTYPE_BOOL;
  if (type == od::json_type::string && !is_bool) {
    std::string_view text;
    RETURN_IF_JSON_ERROR(value.get_string().get(text), place);
    return SetFromText(message, field, View(text), place.Text());
  }
  if (type == od::json_type::boolean && is_bool) {
    bool truth = false;
    RETURN_IF_JSON_ERROR(value.get_bool().get(truth), place);
    return SetFromText(message, field, truth ? "true" : "false", place.Text());
  }
  if (type == od::json_type::number && !is_bool && !is_text) {
    absl::string_view token = Token(value);
    if (!IsJsonNumber(token)) return Malformed(simdjson::NUMBER_ERROR, place);
    return SetFromText(message, field, token, place.Text());
  }
  return FieldError(place.Text(),
                    absl::StrCat("must be ", is_text                                 ? "text"
                                             : is_bool                               ? "true or false"
                                             : kind == FieldDescriptor::CPPTYPE_ENUM ? "the name of a state"
                                                                                     : "a number"));
}

absl::Status ReadArray(od::value& value, Message& message, const FieldDescriptor& field, const Place& place) {
  od::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return FieldError(place.Text(), "must be an array");
  Place element_place{&place, {}, 0};
  for (auto element : array) {
    od::value item;
    RETURN_IF_JSON_ERROR(element.get(item), element_place);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      RETURN_IF_ERROR(ReadMessage(item, *message.GetReflection()->AddMessage(&message, &field), element_place));
    } else {
      RETURN_IF_ERROR(ReadScalar(item, message, field, element_place));
    }
    ++element_place.index;
  }
  return absl::OkStatus();
}

// Keys already seen in one object or map; a JSON object that says two things about one key is refused.
class SeenKeys {
 public:
  absl::Status Add(const void* where, absl::string_view key, const Place& place) {
    if (seen_.emplace(where, std::string(key)).second) return absl::OkStatus();
    return FieldError(place.Text(), "is given twice");
  }

 private:
  std::set<std::pair<const void*, std::string>> seen_;
};

absl::Status ReadMapEntry(od::value& value, Message& message, const FieldDescriptor& map, absl::string_view key,
                          const Place& place) {
  // By reflection a map is a list of entry messages with a key and a value.
  Message& entry = *message.GetReflection()->AddMessage(&message, &map);
  const FieldDescriptor& key_field = *map.message_type()->map_key();
  const FieldDescriptor& value_field = *map.message_type()->map_value();
  if (key_field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    entry.GetReflection()->SetString(&entry, &key_field, std::string(key));
  } else {
    RETURN_IF_ERROR(SetFromText(entry, key_field, key, place.Text()));
  }
  if (value_field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadMessage(value, *entry.GetReflection()->MutableMessage(&entry, &value_field), place);
  }
  return ReadScalar(value, entry, value_field, place);
}

absl::Status ReadMap(od::value& value, Message& message, const FieldDescriptor& map, SeenKeys& seen,
                     const Place& place) {
  od::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return FieldError(place.Text(), "must be an object");
  for (auto result : object) {
    od::field pair;
    std::string_view key;
    RETURN_IF_JSON_ERROR(std::move(result).get(pair), place);
    RETURN_IF_JSON_ERROR(pair.unescaped_key().get(key), place);
    Place entry_place{&place, View(key), 0};
    RETURN_IF_ERROR(seen.Add(&map, View(key), entry_place));
    RETURN_IF_ERROR(ReadMapEntry(pair.value(), message, map, View(key), entry_place));
  }
  return absl::OkStatus();
}

absl::Status UnknownField(const Descriptor& type, absl::string_view key, const Place& place) {
  std::string nearest = NearestName(key, FieldNames(type));
  std::string path = place.Text();
  return Error(
      absl::StatusCode::kInvalidArgument, "FIELD_UNKNOWN",
      absl::StrCat("unknown field ", path, nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?")),
      {{"field", path}, {"nearest", nearest}});
}

const FieldDescriptor* FindField(const Descriptor& type, absl::string_view key) {
  std::string name(key);
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(name);
}

absl::Status ReadField(od::value& value, Message& message, absl::string_view key, SeenKeys& seen, const Place& place) {
  const Descriptor& type = *message.GetDescriptor();
  const FieldDescriptor* field = FindField(type, key);
  size_t dot = key.find('.');
  if (field == nullptr && dot != absl::string_view::npos) {
    const FieldDescriptor* map = FindField(type, key.substr(0, dot));
    if (map != nullptr && map->is_map()) {
      RETURN_IF_ERROR(seen.Add(map, key.substr(dot + 1), place));
      return ReadMapEntry(value, message, *map, key.substr(dot + 1), place);
    }
  }
  if (field == nullptr) return UnknownField(type, key, place);
  RETURN_IF_ERROR(seen.Add(nullptr, field->name(), place));
  od::json_type kind;
  RETURN_IF_JSON_ERROR(value.type().get(kind), place);
  if (kind == od::json_type::null) return ReadNull(value, place);
  if (field->is_map()) return ReadMap(value, message, *field, seen, place);
  if (field->is_repeated()) return ReadArray(value, message, *field, place);
  const google::protobuf::OneofDescriptor* oneof = field->real_containing_oneof();
  if (oneof != nullptr && message.GetReflection()->HasOneof(message, oneof)) {
    return FieldError(place.Text(), absl::StrCat("only one field of ", oneof->name(), " may be given"));
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadMessage(value, *message.GetReflection()->MutableMessage(&message, field), place);
  }
  return ReadScalar(value, message, *field, place);
}

absl::Status ReadObject(od::object object, Message& message, const Place& place) {
  SeenKeys seen;
  for (auto result : object) {
    od::field pair;
    std::string_view key;
    RETURN_IF_JSON_ERROR(std::move(result).get(pair), place);
    RETURN_IF_JSON_ERROR(pair.unescaped_key().get(key), place);
    Place field_place{&place, View(key), 0};
    RETURN_IF_ERROR(ReadField(pair.value(), message, View(key), seen, field_place));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadJson(absl::string_view json, Message& message) {
  Place root;
  od::parser parser;
  simdjson::padded_string padded(json.data(), json.size());
  od::document document;
  RETURN_IF_JSON_ERROR(parser.iterate(padded).get(document), root);
  od::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) {
    return Error(absl::StatusCode::kInvalidArgument, "JSON_MALFORMED", "the body must be one JSON object",
                 {{"field", ""}});
  }
  RETURN_IF_ERROR(ReadObject(object, message, root));
  if (document.current_location().error() == simdjson::SUCCESS) return Malformed(simdjson::TRAILING_CONTENT, root);
  return absl::OkStatus();
}

}  // namespace chartly::gateway
