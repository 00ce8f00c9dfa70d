export function dashboardsPage() { return { node: document.createElement('div'), leave() {} }; }
