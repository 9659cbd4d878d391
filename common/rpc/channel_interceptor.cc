#include "common/rpc/channel_interceptor.h"

#include "common/rpc/guard.h"

namespace chartly::rpc {
namespace {

namespace ge = grpc::experimental;

class KeyInterceptor final : public ge::Interceptor {
 public:
  explicit KeyInterceptor(const std::string& key) : key_(key) {}
  void Intercept(ge::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(ge::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto* metadata = methods->GetSendInitialMetadata();
      if (metadata->find(kApiKeyMetadata) == metadata->end()) metadata->emplace(kApiKeyMetadata, key_);
    }
    methods->Proceed();
  }

 private:
  const std::string& key_;
};

class KeyInterceptorFactory final : public ge::ClientInterceptorFactoryInterface {
 public:
  explicit KeyInterceptorFactory(std::string key) : key_(std::move(key)) {}
  ge::Interceptor* CreateClientInterceptor(ge::ClientRpcInfo*) override { return new KeyInterceptor(key_); }

 private:
  const std::string key_;
};

}  // namespace

std::vector<std::unique_ptr<ge::ClientInterceptorFactoryInterface>> KeyInterceptors(const std::string& api_key) {
  std::vector<std::unique_ptr<ge::ClientInterceptorFactoryInterface>> factories;
  if (!api_key.empty()) factories.push_back(std::make_unique<KeyInterceptorFactory>(api_key));
  return factories;
}

}  // namespace chartly::rpc
