// Where the request of a method names profiles, as its proto option `profile_fields` states it. Thread-safe once made.
#ifndef CHARTLY_COMMON_RPC_PROFILE_FIELDS_H_
#define CHARTLY_COMMON_RPC_PROFILE_FIELDS_H_

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace chartly::rpc {

class ProfileFields {
 public:
  // Of a method that names none.
  ProfileFields() = default;
  explicit ProfileFields(const google::protobuf::MethodDescriptor& method);

  // Whether every field that is stated is there and a text, and every field of the request that is called profile_id or
  // profile is stated; of a method that refuses bound callers it need not be.
  bool complete() const { return complete_; }
  // Whether no request names any.
  bool none() const { return paths_.empty(); }
  // The ids of the profiles that a request names: without what stands before them in the name of a resource, and
  // without a revision behind.
  std::vector<std::string> In(const google::protobuf::Message& request) const;

 private:
  using Path = std::vector<const google::protobuf::FieldDescriptor*>;

  std::vector<Path> paths_;
  bool complete_ = true;
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_PROFILE_FIELDS_H_
