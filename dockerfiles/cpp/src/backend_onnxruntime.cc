// ONNX models with ONNX Runtime on the CPU. One session per share of threads; a session is thread-safe.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "config.h"
#include "fault.h"
#include "runner.h"

namespace sut {

namespace {

const std::map<std::string, std::vector<std::string>> kOptions = {
    {"allow_spinning", {"1", "0"}},
    {"graph_optimization", {"all", "extended", "basic", "disable"}},
    {"flush_denormals", {"0", "1"}}};

const std::map<std::string, GraphOptimizationLevel> kLevels = {
    {"all", GraphOptimizationLevel::ORT_ENABLE_ALL},
    {"extended", GraphOptimizationLevel::ORT_ENABLE_EXTENDED},
    {"basic", GraphOptimizationLevel::ORT_ENABLE_BASIC},
    {"disable", GraphOptimizationLevel::ORT_DISABLE_ALL}};

const std::map<ONNXTensorElementDataType, DType> kTypes = {
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, DType::f16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, DType::f32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, DType::f64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, DType::i8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, DType::u8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, DType::i16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, DType::u16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, DType::i32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, DType::u32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, DType::i64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, DType::u64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, DType::boolean}};

DType type_of(const std::string& model, const std::string& name, ONNXTensorElementDataType type) {
    const auto known = kTypes.find(type);
    if (known == kTypes.end())
        throw bad_input(model, "'" + name + "' has a type that is not supported; only plain numbers are");
    return known->second;
}

ONNXTensorElementDataType type_for(DType type) {
    return std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& entry) { return entry.second == type; })
        ->first;
}

TensorSpec spec_of(const std::string& model, const std::string& name, const Ort::TypeInfo& info) {
    if (info.GetONNXType() != ONNX_TYPE_TENSOR)
        throw bad_input(model, "'" + name + "' is no tensor; only numeric tensors are supported");
    const auto tensor = info.GetTensorTypeAndShapeInfo();
    const auto sizes = tensor.GetShape();
    std::vector<const char*> symbols(sizes.size());
    tensor.GetSymbolicDimensions(symbols.data(), symbols.size());
    TensorSpec spec{name, type_of(model, name, tensor.GetElementType()), {}};
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
        const std::string symbol = symbols[axis] != nullptr ? symbols[axis] : "";
        const std::string fallback = name + "." + std::to_string(axis);
        spec.dims.push_back({std::max<int64_t>(sizes[axis], 0), symbol.empty() ? fallback : symbol});
    }
    return spec;
}

// One worker's calls: direct, without a copy of inputs or outputs.
class SessionCall {
  public:
    SessionCall(std::shared_ptr<Ort::Session> session, const Signature& signature, const SampleForm& form)
        : session_(std::move(session)), whole_(signature.whole()) {
        for (size_t place = 0; place < signature.inputs.size(); ++place) {
            const TensorSpec& spec = signature.inputs[place];
            input_names_.push_back(spec.name);
            Shape shape = form.shapes[place];
            if (!whole_) shape.insert(shape.begin(), 1);
            shapes_.push_back(std::move(shape));
            types_.push_back(type_for(spec.type));
            row_bytes_.push_back(form.row_bytes[place]);
        }
        for (const auto& spec : signature.outputs) {
            output_names_.push_back(spec.name);
            output_types_.push_back(spec.type);
        }
    }

    void operator()(const Inputs& inputs, size_t count, Outputs* outputs) {
        given_.clear();
        for (size_t place = 0; place < inputs.size(); ++place) {
            Shape& shape = shapes_[place];
            if (!whole_) shape[0] = static_cast<int64_t>(count);
            given_.push_back(Ort::Value::CreateTensor(memory_, const_cast<std::byte*>(inputs[place]),
                                                      row_bytes_[place] * count, shape.data(), shape.size(),
                                                      types_[place]));
        }
        name_pointers();
        values_.clear();
        for (size_t place = 0; place < output_names_.size(); ++place) values_.emplace_back(nullptr);
        session_->Run(options_, input_pointers_.data(), given_.data(), given_.size(), output_pointers_.data(),
                      values_.data(), values_.size());
        tell(outputs);
    }

  private:
    void name_pointers() {  // once the call lies where it stays
        if (!output_pointers_.empty()) return;
        for (const auto& name : input_names_) input_pointers_.push_back(name.c_str());
        for (const auto& name : output_names_) output_pointers_.push_back(name.c_str());
    }

    void tell(Outputs* outputs) const {
        outputs->resize(values_.size());
        for (size_t place = 0; place < values_.size(); ++place) {
            Output& output = (*outputs)[place];
            const auto info = values_[place].GetTensorTypeAndShapeInfo();
            output.type = output_types_[place];
            output.shape = info.GetShape();
            output.data = static_cast<const std::byte*>(values_[place].GetTensorRawData());
        }
    }

    std::shared_ptr<Ort::Session> session_;
    bool whole_;
    std::vector<std::string> input_names_, output_names_;
    std::vector<const char*> input_pointers_, output_pointers_;
    std::vector<Shape> shapes_;
    std::vector<ONNXTensorElementDataType> types_;
    std::vector<DType> output_types_;
    std::vector<size_t> row_bytes_;
    std::vector<Ort::Value> given_, values_;
    Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::RunOptions options_;
};

class OnnxRuntimeBackend : public Backend {
  public:
    explicit OnnxRuntimeBackend(const Opening& opening)
        : opening_(opening),
          options_(chosen_options("onnxruntime", opening.options, kOptions)),
          environment_(ORT_LOGGING_LEVEL_ERROR, "mlperf-sut"),
          session_(open()) {
        Ort::AllocatorWithDefaultOptions allocator;
        for (size_t place = 0; place < session_->GetInputCount(); ++place)
            signature_.inputs.push_back(spec_of(opening.model,
                                                session_->GetInputNameAllocated(place, allocator).get(),
                                                session_->GetInputTypeInfo(place)));
        for (size_t place = 0; place < session_->GetOutputCount(); ++place)
            signature_.outputs.push_back(spec_of(opening.model,
                                                 session_->GetOutputNameAllocated(place, allocator).get(),
                                                 session_->GetOutputTypeInfo(place)));
    }

    std::string name() const override { return "onnxruntime"; }
    std::string version() const override { return OrtGetApiBase()->GetVersionString(); }
    const Signature& signature() const override { return signature_; }

    std::unique_ptr<Runner> runner(const SampleForm& form, size_t batch) override {
        const bool shared =
            opening_.threads == 1;  // without a pool of its own one session serves all workers
        const auto session = shared || !lent_ ? session_ : open();
        lent_ = true;
        const auto call = std::make_shared<SessionCall>(session, signature_, form);
        const Call run = [call](const Inputs& inputs, size_t count, Outputs* outputs) {
            (*call)(inputs, count, outputs);
        };
        if (signature_.whole()) return whole_runner(run, form.row_bytes);
        const auto fixed = signature_.fixed_batch();
        if (!fixed) return open_runner(run, batch);
        return sized_runner({{static_cast<size_t>(*fixed), run}}, form.row_bytes);
    }

  private:
    std::shared_ptr<Ort::Session> open() {
        Ort::SessionOptions settings;
        settings.SetIntraOpNumThreads(opening_.threads);
        settings.SetInterOpNumThreads(1);
        settings.SetExecutionMode(ExecutionMode::ORT_SEQUENTIAL);
        settings.SetGraphOptimizationLevel(kLevels.at(options_.at("graph_optimization")));
        settings.SetLogSeverityLevel(ORT_LOGGING_LEVEL_ERROR);
        settings.AddConfigEntry("session.intra_op.allow_spinning", options_.at("allow_spinning").c_str());
        settings.AddConfigEntry("session.set_denormal_as_zero", options_.at("flush_denormals").c_str());
        return std::make_shared<Ort::Session>(environment_, opening_.model.c_str(), settings);
    }

    Opening opening_;
    std::map<std::string, std::string> options_;
    Ort::Env environment_;
    std::shared_ptr<Ort::Session> session_;
    Signature signature_;
    bool lent_ = false;
};

}  // namespace

std::string built_in_backend() { return "onnxruntime"; }

std::unique_ptr<Backend> open_built_in(const Opening& opening) {
    return std::make_unique<OnnxRuntimeBackend>(opening);
}

}  // namespace sut
