#include "common/rpc/profile_fields.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "chartly/v1/options.pb.h"
#include "common/rpc/access.h"

namespace chartly::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Deeper no request of ours goes.
constexpr int kMaxDepth = 8;

// Resources of which the id is that of their profile.
constexpr const char* kCollections[] = {"profiles/", "rollouts/", "shadows/", "legalHolds/"};

// Every text of the message and of those in it that is called as a profile is.
void FindNaming(const Descriptor& type, const std::string& prefix, int depth, std::vector<std::string>& found) {
  for (int i = 0; i < type.field_count() && depth < kMaxDepth; ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_map()) {
      FindNaming(*field.message_type(), absl::StrCat(prefix, field.name(), "."), depth + 1, found);
    }
    const bool naming = field.name() == "profile_id" || field.name() == "profile";
    if (naming && field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) found.push_back(prefix + field.name());
  }
}

// Who calls these is never bound.
bool IsNotForKeys(v1::Access access) {
  return access == v1::ACCESS_DRONE || access == v1::ACCESS_INTERNAL || access == v1::ACCESS_SIGNED;
}

absl::string_view IdIn(absl::string_view name) {
  for (const char* collection : kCollections) {
    if (absl::ConsumePrefix(&name, collection)) return name.substr(0, name.find('@'));
  }
  return name;
}

template <typename Path>
void Collect(const Message& message, const Path& path, size_t at, std::vector<std::string>& ids) {
  const FieldDescriptor* field = path[at];
  const Reflection& reflection = *message.GetReflection();
  const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
  for (int i = 0; i < count; ++i) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Collect(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                   : reflection.GetMessage(message, field),
              path, at + 1, ids);
      continue;
    }
    const std::string name =
        field->is_repeated() ? reflection.GetRepeatedString(message, field, i) : reflection.GetString(message, field);
    // One of several that is empty names nothing of ours either, but must not hide behind the others.
    if (!name.empty() || field->is_repeated() || at > 0) ids.emplace_back(IdIn(name));
  }
}

}  // namespace

ProfileFields::ProfileFields(const google::protobuf::MethodDescriptor& method) {
  std::vector<std::string> stated;
  for (int i = 0; i < method.options().ExtensionSize(v1::profile_fields); ++i) {
    stated.push_back(method.options().GetExtension(v1::profile_fields, i));
    const Descriptor* type = method.input_type();
    Path path;
    for (absl::string_view name : absl::StrSplit(stated.back(), '.')) {
      path.push_back(type == nullptr ? nullptr : type->FindFieldByName(std::string(name)));
      type = path.back() == nullptr ? nullptr : path.back()->message_type();
    }
    const bool is_text = path.back() != nullptr && path.back()->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    complete_ = complete_ && is_text;
    if (is_text) paths_.push_back(std::move(path));
  }
  const v1::Binding binding = BindingOf(method);
  if (binding == v1::BINDING_NAMED) complete_ = complete_ && !paths_.empty();
  if (binding == v1::BINDING_REFUSED || IsNotForKeys(AccessOf(method))) return;
  std::vector<std::string> naming;
  FindNaming(*method.input_type(), "", 0, naming);
  for (const std::string& name : naming) {
    complete_ = complete_ && std::find(stated.begin(), stated.end(), name) != stated.end();
  }
}

std::vector<std::string> ProfileFields::In(const Message& request) const {
  std::vector<std::string> ids;
  for (const Path& path : paths_) Collect(request, path, 0, ids);
  return ids;
}

}  // namespace chartly::rpc
