// ReDoc over our own description of the API, in our colours.
Redoc.init(
  '/openapi.json',
  { disableSearch: false, hideLoading: true, theme: { colors: { primary: { main: '#1f6b3a' } }, typography: { fontFamily: 'system-ui, sans-serif', headings: { fontFamily: 'system-ui, sans-serif' } } } },
  document.getElementById('api'),
);
