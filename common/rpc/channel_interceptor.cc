#include "common/rpc/channel_interceptor.h"

#include "common/rpc/guard.h"

namespace chartly::rpc {
namespace {

namespace ge = grpc::experimental;

class KeyInterceptor final : public ge::Interceptor {
 public:
  KeyInterceptor(const std::string& key, const std::string& tenant) : key_(key), tenant_(tenant) {}
  void Intercept(ge::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(ge::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto* metadata = methods->GetSendInitialMetadata();
      if (metadata->find(kApiKeyMetadata) == metadata->end()) metadata->emplace(kApiKeyMetadata, key_);
      if (!tenant_.empty()) metadata->emplace(kTenantMetadata, tenant_);
    }
    methods->Proceed();
  }

 private:
  const std::string& key_;
  const std::string& tenant_;
};

class KeyInterceptorFactory final : public ge::ClientInterceptorFactoryInterface {
 public:
  KeyInterceptorFactory(std::string key, std::string tenant) : key_(std::move(key)), tenant_(std::move(tenant)) {}
  ge::Interceptor* CreateClientInterceptor(ge::ClientRpcInfo*) override { return new KeyInterceptor(key_, tenant_); }

 private:
  const std::string key_;
  const std::string tenant_;
};

}  // namespace

std::vector<std::unique_ptr<ge::ClientInterceptorFactoryInterface>> KeyInterceptors(const std::string& api_key,
                                                                                    const std::string& tenant) {
  std::vector<std::unique_ptr<ge::ClientInterceptorFactoryInterface>> factories;
  if (!api_key.empty()) factories.push_back(std::make_unique<KeyInterceptorFactory>(api_key, tenant));
  return factories;
}

}  // namespace chartly::rpc
